"""Losses that want one thing before another, by a margin."""

from itertools import product
from math import inf, nan

from hypothesis import strategies as st

from components.cases.case import NAN, SEEDS, Bad, Case, Draw, Labels, Misfit, Normal, Subject, shapes
from declnet.core.spec import Spec

REDUCTIONS = ("mean", "sum", "none")
SHAPES = ((), (4,), (3, 2), (2, 2, 2, 2))
EXPONENTS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, inf, -1.0, -inf)
LOST = ((nan,), (inf, 1.0))
FLOATS_AND_INTEGERS = [kinds for kinds in product((Normal, Labels), repeat=3) if Labels in kinds]
REPEATING = (((2, 3), (1, 3), (2, 1)), ((1, 3), (2, 3), (2, 3)), ((2, 1, 3), (1, 4, 3), (2, 4, 3)))


def of_kinds(kinds: tuple[type, ...], shape: tuple[int, ...]) -> tuple[Draw, ...]:
    """Floats and integers."""
    return tuple(Normal(shape) if kind is Normal else Labels(shape, 5, (-2, 3, 1)) for kind in kinds)


def named(kinds: tuple[type, ...]) -> str:
    """The kinds, by name."""
    return ", ".join(kind.__name__ for kind in kinds).lower()


@st.composite
def repeating(draw: st.DrawFn, least: int) -> tuple[tuple[int, ...], ...]:
    """Three shapes with as many dimensions, in which sizes may be 1; the last `least` are the same."""
    shape = draw(shapes(least, 4, side=1))
    sizes = [[draw(st.sampled_from((size, 1))) for size in shape[: len(shape) - least]] for _ in range(3)]
    return tuple((*some, *shape[len(shape) - least :]) for some in sizes)


def order(shape: tuple[int, ...]) -> tuple[Draw, Draw, Draw]:
    """Two scores, and which is to be the greater."""
    return Normal(shape), Normal(shape), Normal(shape, put=(1.0, -1.0, 1.0, -1.0))


@st.composite
def rankings(draw: st.DrawFn) -> Case:
    """Scores far from each other and near, targets of either kind."""
    first, second, third = draw(repeating(0) | shapes(0, 4).map(lambda shape: (shape,) * 3))
    target = Labels(third, 2, put=(-1, 1, -1)) if draw(st.booleans()) else order(third)[2]
    special = draw(st.lists(st.sampled_from((inf, -inf, nan)), max_size=2).map(tuple))
    scale = draw(st.sampled_from((1.0, 1e-8, 1e8)))
    arguments = {"margin": draw(st.floats(-2, 2)), "reduction": draw(st.sampled_from(REDUCTIONS))}
    scores = Normal(first, scale, put=special), Normal(second)
    inputs = tuple(draw(st.sampled_from((some, some, Labels(some.shape, 9)))) for some in scores)
    return Case(arguments, (*inputs, target), seed=draw(SEEDS))


def misfits(name: str, names: tuple[str, str, str]) -> tuple[Misfit, ...]:
    """What neither takes."""
    first, second, third = names
    return (
        Misfit(
            {},
            (Spec((4, 3)), Spec((4, 2)), Spec((4, 3))),
            f"{name} takes inputs whose shapes fit but its {first} is (4, 3) and its {second} (4, 2)",
            argument=1,
        ),
        Misfit(
            {},
            (Spec((1, 3)), Spec((4, 3)), Spec((2, 3))),
            f"{name} takes inputs whose shapes fit but its {first} is (1, 3) and its {third} (2, 3)",
            argument=2,
        ),
        Misfit(
            {},
            (Spec((4, 3)), Spec((4, 3)), Spec((3,))),
            f"{name} takes inputs with as many dimensions but its {first} is (4, 3) and its {third} (3,)",
            argument=2,
        ),
        Misfit(
            {},
            (Spec((4, 1)), Spec((4,)), Spec((4, 1))),
            f"{name} takes inputs with as many dimensions but its {first} is (4, 1) and its {second} (4,); "
            "a column becomes (N, 1) when it is written as a list: [column]",
            argument=1,
        ),
        *(
            Misfit(
                {},
                tuple(Spec((4,), "bool" if index == wrong else "float") for index in range(3)),
                f"{name} takes floating-point numbers or integers but its {names[wrong]} holds bools",
                argument=wrong,
            )
            for wrong in range(3)
        ),
    )


MARGIN_RANKING = Subject(
    "MarginRankingLoss",
    cases=(
        *(Case({"margin": 0.5, "reduction": r}, order(shape)) for r, shape in product(REDUCTIONS, SHAPES)),
        *(Case({"margin": margin}, order((3, 2))) for margin in (0.0, -0.5, 100.0)),
        *(
            Case({"reduction": r}, (Normal((5,)), Normal((5,)), Labels((5,), 2, put=(-1, 1, -1))), "integers")
            for r in REDUCTIONS
        ),
        *(Case({"reduction": r}, order((0, 2)), "no rows") for r in REDUCTIONS),
        *(
            Case({"margin": 0.5, "reduction": r}, of_kinds(kinds, (4,)), named(kinds))
            for kinds, r in product(FLOATS_AND_INTEGERS, ("mean", "none"))
        ),
        *(
            Case({"margin": 0.5, "reduction": r}, tuple(map(Normal, each)), "sizes that repeat")
            for each, r in product(REPEATING, REDUCTIONS)
        ),
        Case(
            {"reduction": "none", "margin": 1.0},
            (
                Normal((5,), put=(1.0, 0.0, 1.0, inf, nan)),
                Normal((5,), put=(0.0, 1.0, 2.0, inf, 0.0)),
                order((5,))[2],
            ),
            "at the kink, and infinities",
            rough="a kink and infinities",
        ),
    ),
    strategy=rankings(),
    bad=(
        Bad({"reduction": "average"}, "literal_error", ("reduction",)),
        Bad({"margin": None}, "float_type", ("margin",)),
        Bad({"margin": inf}, "finite_number", ("margin",)),
    ),
    misfits=misfits("MarginRankingLoss", ("input1", "input2", "target")),
)


def rows(*shape: int, spread: float = 1.0) -> tuple[Draw, Draw, Draw]:
    """Anchor, positive and negative."""
    return Normal(shape), Normal(shape, spread), Normal(shape)


@st.composite
def triplets(draw: st.DrawFn) -> Case:
    """Every norm, near and far."""
    each = draw(repeating(1) | shapes(0, 4, side=1).map(lambda shape: (shape,) * 3))
    spread = draw(st.sampled_from((0.1, 1.0, 10.0)))
    special = draw(st.lists(st.sampled_from((inf, -inf, nan)), max_size=2).map(tuple))
    floats = (Normal(each[0], put=special), Normal(each[1], spread), Normal(each[2]))
    inputs = tuple(draw(st.sampled_from((some, some, Labels(some.shape, 9)))) for some in floats)
    arguments = {
        "margin": draw(st.floats(0.1, 4)),
        "p": draw(st.sampled_from(EXPONENTS)),
        "eps": draw(st.sampled_from((1e-6, 0.1, 0.0, -0.1))),
        "swap": draw(st.booleans()),
        "reduction": draw(st.sampled_from(REDUCTIONS)),
    }
    return Case(arguments, inputs, seed=draw(SEEDS))


SAME = (1.0, 2.0, 3.0)

TRIPLET_MARGIN = Subject(
    "TripletMarginLoss",
    cases=(
        *(
            Case({"reduction": r, "swap": swap}, rows(*shape))
            for r, swap, shape in product(REDUCTIONS, (False, True), ((3,), (4, 3), (2, 2, 3)))
        ),
        *(Case({"p": p, "swap": True, "margin": 3.0}, rows(4, 3)) for p in EXPONENTS),
        *(Case({"p": p, "margin": 3.0}, rows(4, 1), "single numbers") for p in EXPONENTS),
        Case({"margin": 5.0}, rows(), "unbatched numbers"),
        Case({"eps": 0.5}, rows(4, 3)),
        Case({"margin": 1e-3}, rows(8, 2, spread=10.0), "many far enough"),
        *(Case({"reduction": r, "swap": True}, rows(0, 3), "no rows") for r in REDUCTIONS),
        Case({"reduction": "none", "swap": True}, rows(3, 0), "no numbers"),
        *(
            Case(
                {"p": p, "eps": 0.0, "swap": True},
                (Normal((2, 3), put=SAME), Normal((2, 3), put=SAME), Normal((2, 3), put=SAME)),
                "no distance",
                rough="a kink at 0",
            )
            for p in EXPONENTS
        ),
        Case(
            {"p": 1.0, "eps": 0.0, "reduction": "none"},
            (Normal((1, 2), put=(0.0, 0.0)), Normal((1, 2), put=(1.0, 1.0)), Normal((1, 2), put=(1.0, 2.0))),
            "at the margin itself",
            rough="a kink",
        ),
        Case(
            {"p": 1.0, "eps": 0.0, "swap": True},
            (Normal((1, 2), put=(0.0, 4.0)), Normal((1, 2), put=(4.0, 0.0)), Normal((1, 2), put=(2.0, 2.0))),
            "two as near",
            rough="a kink",
        ),
        *(
            Case(
                {"reduction": "none", "swap": swap},
                (Normal((2, 2), put=(inf, 1.0)), Normal((2, 2), put=(1.0, 1.0, nan)), Normal((2, 2))),
                "infinities",
                rough="infinities",
            )
            for swap in (False, True)
        ),
        *(
            Case(
                {"p": p, "margin": 30.0},
                (Normal((2, 3), put=put), Normal((2, 3)), Normal((2, 3))),
                f"with {put[0]}",
                rough="infinities",
            )
            for p, put in product(EXPONENTS, LOST)
        ),
        *(
            Case(
                {"p": p, "margin": 30.0},
                (Normal((2, 1), put=put), Normal((2, 1)), Normal((2, 1))),
                f"single numbers with {put[0]}",
                rough="infinities",
            )
            for p, put in product(EXPONENTS, LOST)
        ),
        *(
            Case({"margin": 2.5, "reduction": "none", "swap": True}, of_kinds(kinds, (4, 2)), named(kinds))
            for kinds in FLOATS_AND_INTEGERS
        ),
        *(
            Case(
                {"margin": 2.5, "reduction": r, "swap": r == "mean"}, tuple(map(Normal, each)), "sizes that repeat"
            )
            for each, r in product(
                (((2, 3), (1, 3), (2, 3)), ((2, 1, 3), (1, 4, 3), (2, 4, 1)), ((2, 3), (2, 1), (1, 3))), REDUCTIONS
            )
        ),
    ),
    strategy=triplets(),
    bad=(
        Bad({"reduction": "average"}, "literal_error", ("reduction",)),
        Bad({"margin": 0.0}, "greater_than", ("margin",)),
        Bad({"p": nan}, "value_error", ("p",), "Value error, an exponent must be a number", taken=NAN),
        Bad({"eps": inf}, "finite_number", ("eps",)),
        Bad({"swap": "yes"}, "bool_type", ("swap",)),
    ),
    misfits=(
        *misfits("TripletMarginLoss", ("anchor", "positive", "negative")),
        *(
            Misfit(
                {"p": p},
                (Spec((4, 0)),) * 3,
                f"TripletMarginLoss cannot take the norm with p = {p:g} of nothing: its anchor is (4, 0)",
                field="p",
                argument=0,
            )
            for p in (inf, -1.0, -inf)
        ),
        Misfit(
            {},
            (Spec((3, 1)), Spec((1, 4)), Spec((3, 1))),
            "TripletMarginLoss compares distances between rows of one length but its anchor, positive and negative "
            "are (3, 1), (1, 4), (3, 1)",
            taken="a distance between rows of 4 numbers, compared with one between single numbers, has no sense",
        ),
    ),
)

SUBJECTS = (MARGIN_RANKING, TRIPLET_MARGIN)
