"""Operations."""

from hypothesis import strategies as st

from components.cases.case import SEEDS, Bad, Case, Labels, Misfit, Normal, Subject, shapes
from declnet.core.spec import Spec


@st.composite
def flatten(draw: st.DrawFn) -> Case:
    """Dimensions that the input has, in order, each counted from either end."""
    shape = draw(shapes(0, 4))
    ndim = max(len(shape), 1)
    start = draw(st.integers(0, ndim - 1))
    end = draw(st.integers(start, ndim - 1))
    dims = {name: dim - draw(st.sampled_from((0, ndim))) for name, dim in (("start_dim", start), ("end_dim", end))}
    x = Labels(shape, 5) if draw(st.booleans()) else Normal(shape)
    return Case(dims, (x,), seed=draw(SEEDS))


FLATTEN = Subject(
    "Flatten",
    cases=(
        Case({}, (Normal((2, 3, 4)),)),
        Case({}, (Normal((2, 3)),)),
        Case({"start_dim": 0}, (Normal((2, 3)),)),
        Case({"start_dim": 0}, (Normal(()),)),
        Case({"start_dim": 0, "end_dim": 0}, (Normal((3,)),)),
        Case({"start_dim": -1}, (Normal((3,)),)),
        Case({"start_dim": 1, "end_dim": 2}, (Normal((2, 2, 3, 2)),)),
        Case({"start_dim": -3, "end_dim": -2}, (Normal((2, 2, 3, 2)),)),
        Case({}, (Normal((0, 2, 3)),), "no rows"),
        Case({}, (Labels((2, 2, 2), 9),), "integers"),
    ),
    strategy=flatten(),
    bad=(
        Bad({"start_dim": 1.0}, "int_type", ("start_dim",)),
        Bad({"end_dim": None}, "int_type", ("end_dim",)),
    ),
    misfits=(
        Misfit(
            {},
            (Spec((5,)),),
            "Flatten needs a dimension 1 but its input (5,) has 1; start_dim may be -1 to 0",
            field="start_dim",
            argument=0,
        ),
        Misfit(
            {},
            (Spec(()),),
            "Flatten needs a dimension 1 but its input () has 0; start_dim may be -1 to 0",
            field="start_dim",
            argument=0,
        ),
        Misfit(
            {"end_dim": -4},
            (Spec((2, 3, 4)),),
            "Flatten needs a dimension -4 but its input (2, 3, 4) has 3; end_dim may be -3 to 2",
            field="end_dim",
            argument=0,
        ),
        Misfit(
            {"start_dim": -1, "end_dim": 1},
            (Spec((2, 3, 4), "bool"),),
            "Flatten's start_dim -1 comes after its end_dim 1 for an input (2, 3, 4) bool",
            field="start_dim",
            argument=0,
        ),
    ),
)

SUBJECTS = (FLATTEN,)
