"""Activations."""

from math import inf, nan

from hypothesis import strategies as st

from components.cases.case import (
    SEEDS,
    SPECIALS,
    Bad,
    Case,
    Draw,
    Flags,
    Labels,
    Misfit,
    Normal,
    Subject,
    drawn,
    shapes,
)
from declnet.core.numerics import LONG
from declnet.core.spec import KINDS, Kind, Spec


def elementwise(
    name: str,
    *rows: dict[str, object],
    arguments: dict[str, st.SearchStrategy[object]] | None = None,
    bad: tuple[Bad, ...] = (),
    kink: bool = False,
    kinds: tuple[Kind, ...] = ("float",),
    more: tuple[Case, ...] = (),
    scales: tuple[float, ...] = (1.0, 30.0, 1e-30, 1e4),
    specials: tuple[float, ...] = (0.0, -0.0, inf, -inf, nan),
) -> Subject:
    """A function of single elements: the defaults on every shape, then each row of arguments."""
    rough, taken = "a kink at 0" if kink else "", " or ".join(KINDS[kind] for kind in kinds)
    others: dict[Kind, Draw] = {"int": Labels((3, 4), 9, (-3, -800, 800)), "bool": Flags((3, 4))}
    around = (0.0, -0.0, 1e-3, -1e-3, 0.5, -0.5, 3.0, -3.0, 8.0, -8.0, 30.0, -30.0)
    extremes = (*specials, 1e-310, -1e-310, 800.0, -800.0)
    return Subject(
        name,
        cases=(
            *(Case({}, (Normal(shape),)) for shape in ((3, 4), (), (2, 3, 2, 2))),
            Case({}, (Normal((67,), 3.0),), "a vector and its tail"),
            Case({}, (Normal((0, 3)),), "no rows"),
            Case({}, (Normal((12,), put=around),), "zeros, small and large", rough=rough),
            Case({}, (Normal((12,), put=extremes),), "extremes", rough="infinities"),
            *(Case(row, (Normal((5, 4), 3.0),)) for row in rows),
            *(Case(row, (Normal((12,), put=around),), "zeros, small and large", rough="a kink") for row in rows),
            *(Case({}, (draw,), kind) for kind, draw in others.items() if kind in kinds),
            *more,
        ),
        strategy=drawn(
            arguments or {},
            st.builds(
                Normal,
                shapes(0, 4) | st.integers(LONG - 1, 2 * LONG + 65).map(lambda size: (size,)),
                st.sampled_from(scales),
                put=st.lists(st.sampled_from(specials), max_size=4).map(tuple),
            )
            | st.sampled_from([draw for kind, draw in others.items() if kind in kinds] or [Normal(())]),
        ),
        bad=bad,
        misfits=tuple(
            Misfit({}, (Spec((4,), kind),), f"{name} takes {taken} but its input holds {kind}s", argument=0)
            for kind in others
            if kind not in kinds
        ),
    )


def number(name: str, *, finite: bool = True) -> tuple[Bad, ...]:
    """What an argument that is a number does not take."""
    return (
        Bad({name: "1"}, "float_type", (name,)),
        Bad({name: None}, "float_type", (name,)),
        *([Bad({name: inf}, "finite_number", (name,)), Bad({name: nan}, "finite_number", (name,))] * finite),
    )


NUMBERS = st.sampled_from((0.0, 0.01, 0.3, 1.0, 2.5, -0.7))

RELU = elementwise("ReLU", kink=True, kinds=("float", "int"), specials=(0.0, -0.0, inf, -inf, nan, -nan))

LEAKY_RELU = elementwise(
    "LeakyReLU",
    {"negative_slope": 0.2},
    {"negative_slope": 0.0},
    {"negative_slope": -0.5},
    {"negative_slope": 3.0},
    arguments={"negative_slope": NUMBERS},
    bad=number("negative_slope"),
    kink=True,
)

ELU = elementwise(
    "ELU",
    {"alpha": 0.5},
    {"alpha": 0.0},
    {"alpha": -2.0},
    specials=(0.0, -0.0, inf, -inf),  # at NaN PyTorch's vector and scalar kernels differ
    arguments={"alpha": NUMBERS},
    bad=number("alpha"),
)

GELU = elementwise(
    "GELU",
    {"approximate": "tanh"},
    {"approximate": "none"},
    arguments={"approximate": st.sampled_from(("none", "tanh"))},
    specials=(0.0, -0.0, nan),  # at inf PyTorch gives inf or NaN, by the CPU and the dtype; see test_normal_cdf.py
    bad=(
        Bad({"approximate": "erf"}, "literal_error", ("approximate",)),
        Bad({"approximate": None}, "literal_error", ("approximate",)),
    ),
)

SIGMOID = elementwise("Sigmoid", kinds=("float", "int", "bool"))
SILU = elementwise("SiLU")
TANH = elementwise("Tanh", kinds=("float", "int", "bool"))

SOFTPLUS = elementwise(
    "Softplus",
    {"beta": 2.0},
    {"beta": 0.5, "threshold": 1.0},
    {"beta": -1.0},
    {"threshold": -1.0},
    {"threshold": inf},
    {"threshold": -inf},
    arguments={
        "beta": st.sampled_from((0.1, 1.0, 3.0, -1.5)),
        "threshold": st.sampled_from((20.0, 1.0, 0.0, -2.0, -inf)),
    },
    bad=(*number("beta"), *number("threshold", finite=False)),
    more=(
        Case(
            {"threshold": 1000.0},
            (Normal((3,), put=(800.0, 720.0, 1.0)),),
            "an exponential that overflows",
            deviates="the output is the input, its slope 1; in PyTorch they become infinite and NaN",
        ),
    ),
)


def along_each_dimension(shape: tuple[int, ...]) -> list[Case]:
    """One case for each dimension counted from both ends, and one that leaves it out."""
    ndim = max(len(shape), 1)
    return [Case({"dim": dim}, (Normal(shape),)) for dim in range(-ndim, ndim)] + [Case({}, (Normal(shape),))]


@st.composite
def exponentials(draw: st.DrawFn) -> Case:
    """A dimension that the input has, and along which it is not empty."""
    shape = draw(shapes(0, 4, side=1))
    dim = draw(st.none() | st.integers(-max(len(shape), 1), max(len(shape), 1) - 1))
    scale = draw(st.sampled_from((1.0, 100.0, 1e4)))
    return Case({"dim": dim}, (Normal(shape, scale, put=draw(SPECIALS)),), seed=draw(SEEDS))


def softmax(name: str) -> Subject:
    """Both take the same."""
    return Subject(
        name,
        cases=(
            *along_each_dimension(()),
            *along_each_dimension((5,)),
            *along_each_dimension((2, 3)),
            *along_each_dimension((2, 3, 2)),
            *along_each_dimension((2, 3, 2, 2)),
            Case({"dim": 1}, (Normal((2, 5), digits=0),), "ties"),
            Case(
                {"dim": -1}, (Normal((2, 4), put=(1e4, -1e4, 1e4, 0.0)),), "huge", rough="too large for differences"
            ),
            Case({"dim": 0}, (Normal((3,), put=(-inf, 0.0)),), "-inf", rough="infinities"),
            Case({"dim": 1}, (Normal((2, 2), put=(-inf, -inf, inf)),), "nothing but -inf; inf", rough="infinities"),
            Case({"dim": 1}, (Normal((0, 3)),), "no rows"),
            Case({"dim": 1}, (Normal((3, 0)),), "nothing along the dimension"),
        ),
        strategy=exponentials(),
        bad=(
            Bad({"dim": 1.0}, "int_type", ("dim",)),
            Bad({"dim": True}, "int_type", ("dim",)),
            Bad({"dim": "1"}, "int_type", ("dim",)),
        ),
        misfits=(
            Misfit(
                {"dim": 2},
                (Spec((4, 5)),),
                f"{name} needs a dimension 2 but its input (4, 5) has 2; dim may be -2 to 1",
                field="dim",
                argument=0,
            ),
            Misfit(
                {"dim": 1},
                (Spec(()),),
                f"{name} needs a dimension 1 but its input () has 0; dim may be -1 to 0",
                field="dim",
                argument=0,
            ),
            Misfit(
                {},
                (Spec((4,), "bool"),),
                f"{name} takes floating-point numbers but its input holds bools",
                argument=0,
            ),
        ),
    )


SUBJECTS = (
    RELU,
    LEAKY_RELU,
    ELU,
    GELU,
    SIGMOID,
    SILU,
    TANH,
    SOFTPLUS,
    softmax("Softmax"),
    softmax("LogSoftmax"),
)
