"""Losses against probabilities of two classes, element by element."""

import math
from itertools import product
from math import inf, nan

import numpy as np
from hypothesis import strategies as st

from components.cases.case import (
    SEEDS,
    Bad,
    BadTarget,
    Case,
    Draw,
    Misfit,
    Normal,
    Subject,
    Uniform,
    scaled,
    shapes,
)
from declnet.core.spec import Spec

REDUCTIONS = ("mean", "sum", "none")
WEIGHTS = (None, 2.5, (0.5, 2.0, 1.0), ((0.5,), (2.0,)), ((1.0, 2.0, 3.0),), (((0.5, 1.0, 1.5), (2.0, 2.5, 3.0)),))
"""In every form, for an input (*, 2, 3)."""
DEEP = ((((0.5, 1.0, 1.5), (2.0, 2.5, 3.0)),), (((0.1, 0.2, 0.3), (0.4, 0.5, 0.6)),))


@st.composite
def weights(draw: st.DrawFn, shape: tuple[int, ...]) -> object:
    """None, or numbers in a shape that broadcasts to this one."""
    depth = draw(st.integers(-1, len(shape)))
    if depth < 0:
        return None
    sizes = [draw(st.sampled_from((1, size or 1))) for size in shape[len(shape) - depth :]]

    def nested(sizes: list[int]) -> object:
        return tuple(nested(sizes[1:]) for _ in range(sizes[0])) if sizes else draw(st.floats(0.1, 10))

    return nested(sizes)


@st.composite
def binary(draw: st.DrawFn, weighted: tuple[str, ...], put: tuple[float, ...], scales: tuple[float, ...]) -> Case:
    """Inputs with some of these numbers among them, which for probabilities are in 0 to 1."""
    shape = draw(shapes(0, 4))
    special = tuple(draw(st.lists(st.sampled_from(put), max_size=4)))
    sure = tuple(draw(st.lists(st.sampled_from((0.0, 1.0)), max_size=6)))
    scale = draw(st.sampled_from(scales))
    x = Normal(shape, scale, put=special) if scale else Uniform(shape, 0, 1, put=special)
    arguments = {name: draw(weights(shape)) for name in weighted}
    largest = math.prod(float(np.max(weight)) for weight in arguments.values() if weight is not None)
    return Case(
        arguments | {"reduction": draw(st.sampled_from(REDUCTIONS))},
        (x, Uniform(shape, 0, 1, put=sure)),
        seed=draw(SEEDS),
        tolerance=scaled(largest, "a gradient is a difference of terms as large as the weights"),
    )


def probabilities(shape: tuple[int, ...]) -> tuple[Draw, Draw]:
    """Inputs that are probabilities, away from 0 and 1, and targets."""
    return Uniform(shape, 0.1, 0.9), Uniform(shape, 0, 1, put=(0.0, 1.0))


def logits(shape: tuple[int, ...]) -> tuple[Draw, Draw]:
    """Inputs that are logits, and targets."""
    return Normal(shape), Uniform(shape, 0, 1, put=(0.0, 1.0))


def unfit(name: str, field: str) -> tuple[Misfit, ...]:
    """Weights that do not broadcast to the input."""
    return tuple(
        Misfit(
            {field: weight},
            (spec, spec),
            f"{field} has the shape {shape}, which does not fit the input {spec}: counted from the last "
            "dimension, each size must be the input's or 1",
            field=field,
        )
        for weight, shape, spec in (
            ((1.0, 2.0), "(2,)", Spec((4, 3))),
            ((1.0, 2.0), "(2,)", Spec((4, 1))),
            (((1.0,), (2.0,)), "(2, 1)", Spec((4, 3))),
            ((1.0,), "(1,)", Spec(())),
            ((), "(0,)", Spec((4, 3))),
        )
    )


def misfits(name: str) -> tuple[Misfit, ...]:
    """Inputs that neither takes."""
    return (
        Misfit(
            {},
            (Spec((4, 1)), Spec((4,))),
            f"{name} compares arrays of one shape but its input is (4, 1) and its target (4,); "
            "a column becomes (N, 1) when it is written as a list: [column]",
            argument=1,
        ),
        *(
            Misfit(
                {},
                (Spec((4,)), Spec((4,), kind)),
                f"{name} takes floating-point numbers but its target holds {kind}s",
                argument=1,
            )
            for kind in ("int", "bool")
        ),
        Misfit(
            {},
            (Spec((4,), "int"), Spec((4,))),
            f"{name} takes floating-point numbers but its input holds ints",
            argument=0,
        ),
    )


def bad(field: str) -> tuple[Bad, ...]:
    """Lists of different lengths are no array."""
    message = "Value error, the lists within a list must be of one length"
    return tuple(
        Bad({field: weight}, "value_error", (field,), message)
        for weight in (((1.0,), (1.0, 2.0)), (((),), ((1.0,),)))
    )


BCE = Subject(
    "BCELoss",
    cases=(
        *(
            Case({"reduction": reduction}, probabilities(shape))
            for reduction, shape in product(REDUCTIONS, ((), (4,), (3, 2), (2, 2, 2, 2)))
        ),
        *(
            Case({"weight": weight, "reduction": reduction}, probabilities((2, 2, 3)))
            for weight, reduction in product(WEIGHTS, REDUCTIONS)
        ),
        Case({"weight": DEEP}, probabilities((2, 2, 2, 3)), "a weight of four dimensions"),
        *(Case({"reduction": r}, probabilities((0, 2)), "no rows") for r in REDUCTIONS),
        *(
            Case(
                {"reduction": r},
                (
                    Uniform((7,), 0, 1, put=(0.0, 1.0, 0.0, 1.0, 1e-60, 1e-30)),
                    Uniform((7,), 0, 1, put=(0.0, 1.0, 1.0, 0.0, 0.5, 0.5)),
                ),
                "certain",
                rough="limits",
            )
            for r in REDUCTIONS
        ),
    ),
    strategy=binary(("weight",), (0.0, 1.0, 1e-60, 1e-9), (0.0,)),
    bad=(*bad("weight"), Bad({"reduction": "average"}, "literal_error", ("reduction",))),
    misfits=(*misfits("BCELoss"), *unfit("BCELoss", "weight")),
    bad_targets=tuple(
        BadTarget({}, Spec((2, 2)), ((0.0, 1.0), (0.5, wrong)), f"BCELoss takes targets from 0 to 1, not {said}", 1)
        for wrong, said in ((1.5, "1.5"), (-1e-3, "-0.001"), (nan, "nan"), (inf, "inf"))
    ),
)

BCE_WITH_LOGITS = Subject(
    "BCEWithLogitsLoss",
    cases=(
        *(
            Case({"reduction": reduction}, logits(shape))
            for reduction, shape in product(REDUCTIONS, ((), (4,), (3, 2), (2, 2, 2, 2)))
        ),
        *(
            Case({"weight": weight, "reduction": reduction, "pos_weight": pos_weight}, logits((2, 2, 3)))
            for reduction, (weight, pos_weight) in product(
                REDUCTIONS, ((WEIGHTS[-1], None), *((None, weight) for weight in WEIGHTS), (WEIGHTS[2], WEIGHTS[3]))
            )
        ),
        Case({"weight": DEEP, "pos_weight": DEEP}, logits((2, 2, 2, 3)), "weights of four dimensions"),
        Case({"weight": (DEEP,), "pos_weight": (DEEP,)}, logits((1, 2, 2, 2, 3)), "weights of five dimensions"),
        *(Case({"reduction": r}, logits((0, 2)), "no rows") for r in REDUCTIONS),
        *(
            Case(
                {"reduction": r, "pos_weight": pos_weight},
                (
                    Normal((8,), put=(1e4, 1e4, -1e4, -1e4, 1e30, -1e30, 100.0, -100.0)),
                    Uniform((8,), 0, 1, put=(0.0, 1.0, 0.0, 1.0)),
                ),
                "huge",
                rough="too large",
            )
            for r, pos_weight in product(("mean", "none"), (None, 3.0))
        ),
        Case(
            {"reduction": "none"},
            (Normal((6,), put=(inf, -inf, inf, -inf, nan, -0.0)), Uniform((6,), -1, 2, put=(0.0, 0.0, 1.0, 1.0))),
            "infinities, and targets that are no probabilities",
            rough="infinities",
        ),
    ),
    strategy=binary(("weight", "pos_weight"), (0.0, -0.0, inf, -inf, nan, 1e4, -1e4), (1.0, 1e-8, 100.0, 1e4)),
    bad=(*bad("weight"), *bad("pos_weight"), Bad({"reduction": "average"}, "literal_error", ("reduction",))),
    misfits=(
        *misfits("BCEWithLogitsLoss"),
        *unfit("BCEWithLogitsLoss", "weight"),
        *unfit("BCEWithLogitsLoss", "pos_weight"),
    ),
)

SUBJECTS = (BCE, BCE_WITH_LOGITS)
