"""Dropout. Its laws are in test_dropout.py; here is what PyTorch computes alike."""

from math import nan

from hypothesis import strategies as st

from components.cases.case import SEEDS, Bad, Case, Misfit, Normal, Subject, shapes
from declnet.core.spec import Spec


@st.composite
def dropout(draw: st.DrawFn) -> Case:
    """Any p; nothing is left to chance where it is 0 or 1."""
    p = draw(st.floats(0, 1) | st.sampled_from((0, 1)))
    return Case({"p": p}, (Normal(draw(shapes(0, 4))),), seed=draw(SEEDS), random=0 < p < 1)


DROPOUT = Subject(
    "Dropout",
    cases=(
        Case({}, (Normal((4, 5)),), random=True),
        Case({"p": 0.2}, (Normal((2, 3, 2, 2)),), random=True),
        Case({"p": 0.9}, (Normal(()),), random=True),
        Case({"p": 0.5}, (Normal((0, 3)),), "no rows", random=True),
        Case({"p": 0}, (Normal((3, 4)),)),
        Case({"p": 1.0}, (Normal((3, 4)),)),
    ),
    strategy=dropout(),
    bad=(
        Bad({"p": -0.1}, "greater_than_equal", ("p",)),
        Bad({"p": 1.1}, "less_than_equal", ("p",)),
        Bad({"p": nan}, "finite_number", ("p",)),
        Bad({"p": "0.5"}, "float_type", ("p",)),
        Bad({"p": True}, "float_type", ("p",)),
    ),
    misfits=(
        Misfit(
            {},
            (Spec((4,), "int"),),
            "Dropout takes floating-point numbers but its input holds ints",
            argument=0,
        ),
    ),
)

SUBJECTS = (DROPOUT,)
