"""Activations."""

from math import inf, nan

from hypothesis import strategies as st

from components.cases.case import SEEDS, SPECIALS, Bad, Case, Misfit, Normal, Subject, drawn, shapes
from declnet.core.numerics import BLOCK
from declnet.core.spec import Spec

RELU = Subject(
    "ReLU",
    cases=(
        Case({}, (Normal((3, 4)),)),
        Case({}, (Normal(()),)),
        Case({}, (Normal((2, 3, 2, 2)),)),
        Case({}, (Normal((67,)),), "a vector and its tail"),
        Case({}, (Normal((0, 3)),), "no rows"),
        Case({}, (Normal((19,), put=(0.0, -0.0) * 9),), "zeros", rough="a kink at 0"),
        Case({}, (Normal((8,), put=(inf, -inf, nan, 1e-310, -1e-310)),), "infinities, NaN", rough="infinities"),
    ),
    strategy=drawn(
        {},
        st.builds(
            Normal,
            shapes(0, 4) | st.integers(BLOCK - 1, 2 * BLOCK + 65).map(lambda size: (size,)),
            st.sampled_from((1.0, 1e-30, 1e30)),
            put=SPECIALS,
        ),
    ),
    misfits=(
        Misfit(
            {},
            (Spec((4,), "int"),),
            "ReLU takes floating-point numbers but its input holds ints",
            argument=0,
        ),
    ),
)


def along_each_dimension(shape: tuple[int, ...]) -> list[Case]:
    """One case for each dimension counted from both ends, and one that leaves it out."""
    ndim = max(len(shape), 1)
    return [Case({"dim": dim}, (Normal(shape),)) for dim in range(-ndim, ndim)] + [Case({}, (Normal(shape),))]


@st.composite
def log_softmax(draw: st.DrawFn) -> Case:
    """A dimension that the input has, and along which it is not empty."""
    shape = draw(shapes(0, 4, side=1))
    dim = draw(st.none() | st.integers(-max(len(shape), 1), max(len(shape), 1) - 1))
    scale = draw(st.sampled_from((1.0, 100.0, 1e4)))
    return Case({"dim": dim}, (Normal(shape, scale, put=draw(SPECIALS)),), seed=draw(SEEDS))


LOG_SOFTMAX = Subject(
    "LogSoftmax",
    cases=(
        *along_each_dimension(()),
        *along_each_dimension((5,)),
        *along_each_dimension((2, 3)),
        *along_each_dimension((2, 3, 2)),
        *along_each_dimension((2, 3, 2, 2)),
        Case({"dim": 1}, (Normal((2, 5), digits=0),), "ties"),
        Case({"dim": -1}, (Normal((2, 4), put=(1e4, -1e4, 1e4, 0.0)),), "huge", rough="too large for differences"),
        Case({"dim": 0}, (Normal((3,), put=(-inf, 0.0)),), "-inf", rough="infinities"),
        Case({"dim": 1}, (Normal((2, 2), put=(-inf, -inf, inf)),), "nothing but -inf; inf", rough="infinities"),
        Case({"dim": 1}, (Normal((0, 3)),), "no rows"),
        Case({"dim": 1}, (Normal((3, 0)),), "nothing along the dimension"),
    ),
    strategy=log_softmax(),
    bad=(
        Bad({"dim": 1.0}, "int_type", ("dim",)),
        Bad({"dim": True}, "int_type", ("dim",)),
        Bad({"dim": "1"}, "int_type", ("dim",)),
    ),
    misfits=(
        Misfit(
            {"dim": 2},
            (Spec((4, 5)),),
            "LogSoftmax needs a dimension 2 but its input (4, 5) has 2; dim may be -2 to 1",
            field="dim",
            argument=0,
        ),
        Misfit(
            {"dim": 1},
            (Spec(()),),
            "LogSoftmax needs a dimension 1 but its input () has 0; dim may be -1 to 0",
            field="dim",
            argument=0,
        ),
        Misfit(
            {},
            (Spec((4,), "bool"),),
            "LogSoftmax takes floating-point numbers but its input holds bools",
            argument=0,
        ),
    ),
)

SUBJECTS = (RELU, LOG_SOFTMAX)
