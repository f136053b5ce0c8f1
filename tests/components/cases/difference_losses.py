"""Losses of the differences between input and target."""

from collections.abc import Mapping
from itertools import product
from math import inf, nan

from hypothesis import strategies as st

from components.cases.case import SEEDS, SPECIALS, Bad, Case, Draw, Flags, Labels, Misfit, Normal, Subject, shapes
from declnet.core.spec import Kind, Spec

REPEATS = "PyTorch repeats the smaller one, and warns: numbers would be compared with those of other rows"
REDUCTIONS = ("mean", "sum", "none")
KINDS = {"float": "floating-point numbers", "int": "integers", "bool": "booleans"}


def target(kind: str, shape: tuple[int, ...]) -> Draw:
    """A target that holds such numbers."""
    return Normal(shape) if kind == "float" else Labels(shape, 3) if kind == "int" else Flags(shape)


@st.composite
def pairs(draw: st.DrawFn, kinds: tuple[str, ...], extra: Mapping[str, st.SearchStrategy[float]]) -> Case:
    """Two of one shape; where a third argument is 0, that may mean there are no booleans."""
    arguments = {"reduction": draw(st.sampled_from(REDUCTIONS))} | {n: draw(v) for n, v in extra.items()}
    shape = draw(shapes(0, 4))
    plain = not all(arguments.values()) or "bool" not in kinds
    kind = draw(st.sampled_from(kinds[:2] if plain else kinds))
    floats = Normal(shape, draw(st.sampled_from((1.0, 1e-8, 1e8))), put=draw(SPECIALS))
    inputs = [floats, target(kind, shape)]
    if plain and kind == "int" and arguments["reduction"] != "mean" and draw(st.booleans()):
        inputs[0] = target("int", shape)
    return Case(arguments, tuple(draw(st.permutations(inputs))), seed=draw(SEEDS))


def subject(
    name: str,
    kinds: tuple[str, ...],
    cases: tuple[Case, ...] = (),
    bad: tuple[Bad, ...] = (),
    misfits: tuple[Misfit, ...] = (),
    **extra: st.SearchStrategy[float],
) -> Subject:
    """A loss of differences that takes such targets; what holds for all of them, and what is its own."""
    taken = " or ".join(KINDS[kind] for kind in kinds)
    return Subject(
        name,
        cases=(
            *(
                Case({"reduction": reduction}, (Normal(shape), Normal(shape)))
                for reduction, shape in product(REDUCTIONS, ((), (4,), (3, 2), (2, 2, 2, 2)))
            ),
            *(
                Case({"reduction": reduction}, (Normal((3, 2)), target(kind, (3, 2))), kind)
                for reduction, kind in product(REDUCTIONS, kinds[1:])
            ),
            *(
                Case({"reduction": reduction}, (target(kind, (3, 2)), Normal((3, 2))), f"{kind} input")
                for reduction, kind in product(REDUCTIONS, kinds[1:])
            ),
            *(Case({"reduction": r}, (Normal((0, 2)), Normal((0, 2))), "no rows") for r in REDUCTIONS),
            *(
                Case(
                    {"reduction": reduction},
                    (Normal((6,), put=(1.0, inf, -inf, inf, nan)), Normal((6,), put=(1.0, inf))),
                    "equal and infinite",
                    rough="a kink and infinities",
                )
                for reduction in ("mean", "none")
            ),
            *cases,
        ),
        strategy=pairs(kinds, extra),
        bad=(
            Bad({"reduction": "average"}, "literal_error", ("reduction",)),
            Bad({"reduction": None}, "literal_error", ("reduction",)),
            *bad,
        ),
        misfits=(
            Misfit(
                {},
                (Spec((4, 3)), Spec((4,))),
                f"{name} compares arrays of one shape but its input is (4, 3) and its target (4,)",
                argument=1,
            ),
            Misfit(
                {},
                (Spec((4, 3)), Spec((3,))),
                f"{name} compares arrays of one shape but its input is (4, 3) and its target (3,)",
                argument=1,
                taken=REPEATS,
            ),
            Misfit(
                {},
                (Spec((4, 1)), Spec((4,))),
                f"{name} compares arrays of one shape but its input is (4, 1) and its target (4,); "
                "a column becomes (N, 1) when it is written as a list: [column]",
                argument=1,
                taken=REPEATS,
            ),
            *(
                Misfit(
                    {},
                    (Spec((4,), kind), Spec((4,))),
                    f"{name} takes {taken} but its input holds {kind}s",
                    argument=0,
                )
                for kind in ("int", "bool")
                if kind not in kinds
            ),
            *(
                Misfit(
                    {},
                    (Spec((4,)), Spec((4,), kind)),
                    f"{name} takes {taken} but its target holds {kind}s",
                    argument=1,
                )
                for kind in ("int", "bool")
                if kind not in kinds
            ),
            *misfits,
        ),
    )


def knees(argument: str, numbers: tuple[float, ...]) -> tuple[Case, ...]:
    """Differences on either side of where the curve changes, and just there."""
    return tuple(
        Case(
            {"reduction": reduction, argument: number},
            (Normal((5,), put=(number, -number, 3 * number, number / 2)), Normal((5,), put=(0.0, 0.0, 0.0, 0.0))),
            rough="" if number else "a kink",
        )
        for reduction, number in product(("mean", "none"), numbers)
    )


def without_floats(name: str, takes: str, kinds: tuple[Kind, ...], **arguments: object) -> tuple[Misfit, ...]:
    """No two of these kinds together."""
    return tuple(
        Misfit(
            arguments,
            (Spec((4,), first), Spec((4,), second)),
            f"{name} {takes} floating-point numbers but its input is (4,) {first} and its target (4,) {second}",
            argument=0,
        )
        for first, second in product(kinds, repeat=2)
    )


def integers(**arguments: object) -> tuple[Case, ...]:
    """The magnitudes of integers are integers, and so is their sum."""
    inputs = (Labels((3, 2), 9, (-4,)), Labels((3, 2), 9))
    return tuple(Case({"reduction": r, **arguments}, inputs, "nothing but integers") for r in ("sum", "none"))


NUMBERS = st.sampled_from((1.0, 1e-3, 1e6)) | st.floats(0.1, 10)

MSE = subject("MSELoss", ("float", "int", "bool"), misfits=without_floats("MSELoss", "takes", ("int", "bool")))
L1 = subject(
    "L1Loss",
    ("float", "int"),
    cases=integers(),
    misfits=without_floats("L1Loss", "takes the mean of", ("int",)),
)
SMOOTH_L1 = subject(
    "SmoothL1Loss",
    ("float", "int", "bool"),
    cases=(
        *knees("beta", (2.0, 0.1, 0.0)),
        *integers(beta=0.0),
        Case(
            {"beta": 1e-60},
            (Normal((4,), put=(0.0,)), Normal((4,), put=(0.0,))),
            "nothing in float32",
            rough="a kink",
        ),
    ),
    bad=(
        Bad({"beta": -1.0}, "greater_than_equal", ("beta",)),
        Bad({"beta": inf}, "finite_number", ("beta",)),
        Bad({"beta": None}, "float_type", ("beta",)),
    ),
    misfits=(
        Misfit(
            {"beta": 0.0},
            (Spec((4,)), Spec((4,), "bool")),
            "SmoothL1Loss takes floating-point numbers or integers but its target holds bools",
            argument=1,
        ),
        *without_floats("SmoothL1Loss", "takes", ("int", "bool")),
        *without_floats("SmoothL1Loss", "takes the mean of", ("int",), beta=0.0),
    ),
    beta=NUMBERS | st.just(0.0),
)
HUBER = subject(
    "HuberLoss",
    ("float",),
    cases=knees("delta", (2.0, 0.1)),
    bad=(
        Bad({"delta": 0.0}, "greater_than", ("delta",)),
        Bad({"delta": inf}, "finite_number", ("delta",)),
        Bad({"delta": "1"}, "float_type", ("delta",)),
    ),
    delta=NUMBERS,
)

SUBJECTS = (MSE, L1, SMOOTH_L1, HUBER)
