"""Bilinear."""

from hypothesis import strategies as st

from components.cases.case import SEEDS, Bad, Case, Misfit, Normal, Subject, shapes
from declnet.core.laws import Uniform
from declnet.core.spec import Spec


@st.composite
def bilinear(draw: st.DrawFn) -> Case:
    """Any leading dimensions, the same for both."""
    rows, first, second = draw(shapes(0, 3)), draw(st.integers(1, 6)), draw(st.integers(1, 6))
    arguments = {
        "in1_features": draw(st.sampled_from((None, first))),
        "in2_features": draw(st.sampled_from((None, second))),
        "out_features": draw(st.integers(0, 6)),
        "bias": draw(st.booleans()),
    }
    return Case(arguments, (Normal((*rows, first)), Normal((*rows, second))), seed=draw(SEEDS))


BILINEAR = Subject(
    "Bilinear",
    cases=(
        Case({"out_features": 4}, (Normal((5, 2)), Normal((5, 3)))),
        Case(
            {"in1_features": 2, "in2_features": 3, "out_features": 4, "bias": False},
            (Normal((5, 2)), Normal((5, 3))),
        ),
        Case({"out_features": 4}, (Normal((2,)), Normal((3,))), "no rows dimension"),
        Case({"out_features": 2}, (Normal((2, 2, 1)), Normal((2, 2, 3)))),
        Case({"out_features": 1}, (Normal((1, 1)), Normal((1, 1)))),
        Case({"out_features": 2}, (Normal((0, 2)), Normal((0, 3))), "no rows"),
        Case({"out_features": 0}, (Normal((4, 2)), Normal((4, 3))), "no outputs"),
    ),
    strategy=bilinear(),
    bad=(
        Bad({}, "missing", ("out_features",)),
        Bad({"out_features": -1}, "greater_than_equal", ("out_features",)),
        Bad({"out_features": 1, "in1_features": 0}, "greater_than", ("in1_features",)),
        Bad({"out_features": 1, "in2_features": 2.0}, "int_type", ("in2_features",)),
        Bad({"out_features": 1, "bias": None}, "bool_type", ("bias",)),
    ),
    misfits=(
        Misfit(
            {"out_features": 1},
            (Spec((4, 2)), Spec((4, 3), "int")),
            "Bilinear takes floating-point numbers but its input2 holds ints",
            argument=1,
        ),
        Misfit(
            {"out_features": 1},
            (Spec(()), Spec((3,))),
            "Bilinear takes (*, in1_features) but its input1 is ()",
            argument=0,
        ),
        Misfit(
            {"out_features": 1},
            (Spec((4, 2)), Spec((4, 0))),
            "Bilinear takes (*, in2_features) but its input2 is (4, 0)",
            argument=1,
        ),
        Misfit(
            {"out_features": 1, "in1_features": 3},
            (Spec((4, 2)), Spec((4, 3))),
            "Bilinear takes 3 features but its input1 has 2",
            field="in1_features",
            argument=0,
        ),
        Misfit(
            {"out_features": 1, "in2_features": 2},
            (Spec((4, 2)), Spec((4, 3))),
            "Bilinear takes 2 features but its input2 has 3",
            field="in2_features",
            argument=1,
        ),
        Misfit(
            {"out_features": 1},
            (Spec((4, 2)), Spec((1, 4, 3))),
            "Bilinear takes inputs that differ only in their last dimension, but gets (4, 2) and (1, 4, 3)",
            argument=1,
        ),
    ),
    initial=Case({"out_features": 50}, (Normal((1, 25)), Normal((1, 40)))),
    laws={"weight": Uniform(-0.2, 0.2), "bias": Uniform(-0.2, 0.2)},
)

SUBJECTS = (BILINEAR,)
