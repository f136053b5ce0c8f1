"""Layers."""

from hypothesis import strategies as st

from components.cases.case import Bad, Case, Misfit, Normal, Subject, drawn, shapes
from declnet.core.laws import Uniform
from declnet.core.spec import Spec

EMPTY = "a layer without weights learns nothing; PyTorch warns that there is nothing to initialise"

LINEAR = Subject(
    "Linear",
    cases=(
        Case({"out_features": 3}, (Normal((4, 5)),)),
        Case({"out_features": 3}, (Normal((5,)),)),
        Case({"out_features": 4, "bias": False}, (Normal((3, 2)),)),
        Case({"in_features": 3, "out_features": 2}, (Normal((2, 2, 2, 3)),)),
        Case({"out_features": 1}, (Normal((1, 1)),)),
        Case({"out_features": 2}, (Normal((0, 3)),), "no rows"),
        Case({"out_features": 2}, (Normal((2, 0, 3)),), "no rows"),
    ),
    strategy=drawn(
        {"out_features": st.integers(1, 6), "bias": st.booleans()},
        st.builds(lambda rows, width: Normal((*rows, width)), shapes(0, 3), st.integers(1, 6)),
    ),
    bad=(
        Bad({}, "missing", ("out_features",)),
        Bad({"out_features": 0}, "greater_than", ("out_features",), taken=EMPTY),
        Bad({"out_features": 2.0}, "int_type", ("out_features",)),
        Bad({"out_features": True}, "int_type", ("out_features",)),
        Bad({"out_features": 2, "in_features": -1}, "greater_than", ("in_features",)),
        Bad({"out_features": 2, "bias": 1}, "bool_type", ("bias",)),
    ),
    misfits=(
        Misfit(
            {"in_features": 60, "out_features": 2},
            (Spec((32, 64)),),
            "Linear takes 60 features but its input has 64",
            field="in_features",
            argument=0,
        ),
        Misfit(
            {"out_features": 2},
            (Spec((3, 0)),),
            "Linear takes at least one feature but its input has none",
            argument=0,
            taken=EMPTY,
        ),
        Misfit(
            {"out_features": 2},
            (Spec(()),),
            "Linear takes (*, in_features) but its input is a single number",
            argument=0,
        ),
        Misfit(
            {"out_features": 2},
            (Spec((4, 5), "int"),),
            "Linear takes floating-point numbers but its input holds ints",
            argument=0,
        ),
    ),
    initial=Case({"out_features": 2000}, (Normal((1, 100)),)),
    laws={"weight": Uniform(-0.1, 0.1), "bias": Uniform(-0.1, 0.1)},
)

SUBJECTS = (LINEAR,)
