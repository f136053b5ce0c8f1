"""Losses that want one thing before another, by a margin."""

from itertools import product
from math import inf, nan

from hypothesis import strategies as st

from components.cases.case import SEEDS, Bad, Case, Draw, Labels, Misfit, Normal, Subject, shapes
from declnet.core.spec import Spec

REDUCTIONS = ("mean", "sum", "none")
SHAPES = ((), (4,), (3, 2), (2, 2, 2, 2))
EXPONENTS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, inf)


def order(shape: tuple[int, ...]) -> tuple[Draw, Draw, Draw]:
    """Two scores, and which is to be the greater."""
    return Normal(shape), Normal(shape), Normal(shape, put=(1.0, -1.0, 1.0, -1.0))


@st.composite
def rankings(draw: st.DrawFn) -> Case:
    """Scores far from each other and near, targets of either kind."""
    shape = draw(shapes(0, 4))
    target = Labels(shape, 2, put=(-1, 1, -1)) if draw(st.booleans()) else order(shape)[2]
    special = draw(st.lists(st.sampled_from((inf, -inf, nan)), max_size=2).map(tuple))
    scale = draw(st.sampled_from((1.0, 1e-8, 1e8)))
    arguments = {"margin": draw(st.floats(-2, 2)), "reduction": draw(st.sampled_from(REDUCTIONS))}
    return Case(arguments, (Normal(shape, scale, put=special), Normal(shape), target), seed=draw(SEEDS))


def misfits(name: str, names: tuple[str, str, str]) -> tuple[Misfit, ...]:
    """What neither takes."""
    first, second, third = names
    return (
        Misfit(
            {},
            (Spec((4, 3)), Spec((4, 1)), Spec((4, 3))),
            f"{name} compares arrays of one shape but its {first} is (4, 3) and its {second} (4, 1)",
            argument=1,
        ),
        Misfit(
            {},
            (Spec((4, 3)), Spec((4, 3)), Spec((3,))),
            f"{name} compares arrays of one shape but its {first} is (4, 3) and its {third} (3,)",
            argument=2,
        ),
        Misfit(
            {},
            (Spec((4,), "int"), Spec((4,)), Spec((4,))),
            f"{name} takes floating-point numbers but its {first} holds ints",
            argument=0,
        ),
        Misfit(
            {},
            (Spec((4,)), Spec((4,), "bool"), Spec((4,))),
            f"{name} takes floating-point numbers but its {second} holds bools",
            argument=1,
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
    misfits=(
        *misfits("MarginRankingLoss", ("input1", "input2", "target")),
        Misfit(
            {},
            (Spec((4,)), Spec((4,)), Spec((4,), "bool")),
            "MarginRankingLoss takes floating-point numbers or integers but its target holds bools",
            argument=2,
        ),
    ),
)


def rows(*shape: int, spread: float = 1.0) -> tuple[Draw, Draw, Draw]:
    """Anchor, positive and negative."""
    return Normal(shape), Normal(shape, spread), Normal(shape)


@st.composite
def triplets(draw: st.DrawFn) -> Case:
    """Every norm, near and far."""
    shape = draw(shapes(0, 4, side=1))
    arguments = {
        "margin": draw(st.floats(0.1, 4)),
        "p": draw(st.sampled_from(EXPONENTS)),
        "eps": draw(st.sampled_from((1e-6, 0.1, 0.0, -0.1))),
        "swap": draw(st.booleans()),
        "reduction": draw(st.sampled_from(REDUCTIONS)),
    }
    return Case(arguments, rows(*shape, spread=draw(st.sampled_from((0.1, 1.0, 10.0)))), seed=draw(SEEDS))


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
    ),
    strategy=triplets(),
    bad=(
        Bad({"reduction": "average"}, "literal_error", ("reduction",)),
        Bad({"margin": 0.0}, "greater_than", ("margin",)),
        Bad({"p": -1.0}, "greater_than_equal", ("p",)),
        Bad({"eps": inf}, "finite_number", ("eps",)),
        Bad({"swap": "yes"}, "bool_type", ("swap",)),
    ),
    misfits=(
        *misfits("TripletMarginLoss", ("anchor", "positive", "negative")),
        Misfit(
            {"p": inf},
            (Spec((4, 0)),) * 3,
            "TripletMarginLoss cannot take the largest of nothing: its anchor is (4, 0)",
            field="p",
            argument=0,
        ),
    ),
)

SUBJECTS = (MARGIN_RANKING, TRIPLET_MARGIN)
