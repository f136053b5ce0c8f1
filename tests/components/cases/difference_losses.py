"""Losses of the differences between input and target."""

from collections.abc import Mapping
from itertools import product
from math import inf, nan

from hypothesis import strategies as st

from components.cases.case import SEEDS, SPECIALS, Bad, Case, Draw, Flags, Labels, Misfit, Normal, Subject, shapes
from declnet.core.spec import Spec

REDUCTIONS = ("mean", "sum", "none")
KINDS = {"float": "floating-point numbers", "int": "integers", "bool": "booleans"}


def target(kind: str, shape: tuple[int, ...]) -> Draw:
    """A target that holds such numbers."""
    return Normal(shape) if kind == "float" else Labels(shape, 3) if kind == "int" else Flags(shape)


@st.composite
def pairs(draw: st.DrawFn, kinds: tuple[str, ...], extra: Mapping[str, st.SearchStrategy[float]]) -> Case:
    """Two of one shape; where a third argument is 0, that may mean there are no booleans."""
    arguments = {name: draw(values) for name, values in extra.items()}
    shape = draw(shapes(0, 4))
    kind = draw(st.sampled_from(kinds if all(arguments.values()) else kinds[:2]))
    inputs = (Normal(shape, draw(st.sampled_from((1.0, 1e-8, 1e8))), put=draw(SPECIALS)), target(kind, shape))
    return Case({"reduction": draw(st.sampled_from(REDUCTIONS))} | arguments, inputs, seed=draw(SEEDS))


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
                (Spec((4, 1)), Spec((4,))),
                f"{name} compares arrays of one shape but its input is (4, 1) and its target (4,); "
                "a column becomes (N, 1) when it is written as a list: [column]",
                argument=1,
            ),
            Misfit(
                {},
                (Spec((4,), "bool"), Spec((4,))),
                f"{name} takes floating-point numbers but its input holds bools",
                argument=0,
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


NUMBERS = st.sampled_from((1.0, 1e-3, 1e6)) | st.floats(0.1, 10)

MSE = subject("MSELoss", ("float", "int", "bool"))
L1 = subject("L1Loss", ("float", "int"))
SMOOTH_L1 = subject(
    "SmoothL1Loss",
    ("float", "int", "bool"),
    cases=(
        *knees("beta", (2.0, 0.1, 0.0)),
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
