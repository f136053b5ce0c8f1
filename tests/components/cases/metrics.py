"""Metrics."""

from math import inf, nan

from hypothesis import strategies as st

from components.cases.case import SEEDS, Bad, Case, Labels, Misfit, Normal, Subject, shapes
from declnet.core.spec import Spec


@st.composite
def accuracy(draw: st.DrawFn) -> Case:
    """Class scores, coarse enough for ties, against indices."""
    rows, inner, classes = draw(st.integers(1, 9)), draw(shapes(0, 2, side=1)), draw(st.integers(1, 5))
    output = Normal((rows, classes, *inner), digits=draw(st.sampled_from((None, 0))))
    return Case({}, (output, Labels((rows, *inner), classes)), seed=draw(SEEDS))


ACCURACY = Subject(
    "accuracy",
    cases=(
        Case({}, (Normal((20, 3)), Labels((20,), 3))),
        Case({}, (Normal((20, 3), digits=0), Labels((20,), 3)), "ties"),
        Case({}, (Normal((5, 2, 2, 3)), Labels((5, 2, 3), 2))),
        Case(
            {}, (Normal((4, 3), put=(0.0, nan, inf, nan, 0.0, nan)), Labels((4,), 3, put=(1, 0))), "NaN is largest"
        ),
        Case({}, (Normal((6, 2)), Labels((6,), 2, put=(-100, -100))), "targets of no class"),
        Case({}, (Labels((6, 3), 2), Labels((6,), 3)), "integer outputs"),
    ),
    strategy=accuracy(),
    bad=(Bad({"type": "Accuracy"}, "literal_error", ("type",)),),
    misfits=tuple(
        Misfit(
            {},
            (output, target),
            f"accuracy compares outputs (N, C) with class indices (N,), but the output is {output} "
            f"and the target {target}",
        )
        for output, target in (
            (Spec((8,)), Spec((8,), "int")),
            (Spec((8, 3)), Spec((8,))),
            (Spec((8, 3)), Spec((8, 1), "int")),
            (Spec((8, 3, 2)), Spec((8,), "int")),
        )
    ),
)

SUBJECTS = (ACCURACY,)
