"""Losses against classes."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from math import inf, nan

from hypothesis import strategies as st

from components.cases.case import (
    SEEDS,
    Bad,
    BadTarget,
    Case,
    Draw,
    Labels,
    Misfit,
    Normal,
    Shares,
    Subject,
    scaled,
    shapes,
)
from declnet.core.spec import Spec

REDUCTIONS = ("mean", "sum", "none")
CLASSES = 3
WEIGHT = (0.5, 2.0, 1.0)
IGNORED = -100


def indices(shape: tuple[int, ...], *put: int) -> tuple[Draw, Draw]:
    """Logits of this shape, and class indices."""
    return Normal(shape), Labels(shape[:1] * (len(shape) > 1) + shape[2:], CLASSES, put)


def shares(shape: tuple[int, ...]) -> tuple[Draw, Draw]:
    """Logits of this shape, and class probabilities."""
    return Normal(shape), Shares(shape, dim=0 if len(shape) == 1 else 1)


def every_combination() -> Iterator[Case]:
    """Each way of weighing, smoothing and reducing, for both kinds of target; in other shapes the fullest."""
    for target, reduction in product((indices, shares), REDUCTIONS):
        for weight, smoothing in product((None, WEIGHT), (0.0, 0.1, 1.0)):
            arguments = {"weight": weight, "reduction": reduction, "label_smoothing": smoothing}
            yield Case(arguments, target((4, CLASSES)))
        for shape, smoothing in product(((CLASSES,), (2, CLASSES, 2, 2)), (0.0, 0.1)):
            arguments = {"weight": WEIGHT, "reduction": reduction, "label_smoothing": smoothing}
            yield Case(arguments, target(shape))


def with_ignored_rows() -> Iterator[Case]:
    """Some targets do not count; in other cases none does."""
    for reduction, smoothing in product(REDUCTIONS, (0.0, 0.1)):
        arguments = {"weight": WEIGHT, "reduction": reduction, "label_smoothing": smoothing}
        yield Case(arguments, indices((4, CLASSES), IGNORED, 1, IGNORED), "some ignored")
        yield Case(arguments, indices((3, CLASSES), 0, IGNORED, IGNORED), "ignored after class 0 of row 0")
        yield Case(arguments | {"ignore_index": 1}, indices((2, CLASSES, 2), 1, 2, 1), "some ignored")
        yield Case(
            arguments,
            indices((2, CLASSES), IGNORED, IGNORED),
            "all ignored",
            rough="0 / 0",
        )
        yield Case(
            arguments,
            (Normal((3, CLASSES), put=(-inf, 0.0, 1.0, inf)), Labels((3,), CLASSES, (IGNORED, IGNORED, 1))),
            "infinities in ignored rows",
            rough="infinities",
        )


@st.composite
def cross_entropy(draw: st.DrawFn, targets: tuple[str, ...] = ("indices", "shares")) -> Case:
    """Any shape, either kind of target."""
    classes, inner = draw(st.integers(1, 6)), draw(st.none() | shapes(0, 3))
    shape = (classes,) if inner is None else (draw(st.integers(0, 6)), classes, *inner)
    rows = () if inner is None else (shape[0], *inner)
    arguments = {
        "weight": draw(st.none() | st.tuples(*[st.floats(0.1, 10)] * classes)),
        "reduction": draw(st.sampled_from(REDUCTIONS)),
        "label_smoothing": draw(st.sampled_from((0.0, 0.1, 1.0, -0.5)) | st.floats(0, 1)),
    }
    logits = Normal(shape, draw(st.sampled_from((1.0, 100.0, 1e4))))
    if draw(st.sampled_from(targets)) == "shares":
        _, target = shares(shape)
        return Case(arguments, (logits, target), seed=draw(SEEDS))
    ignored = draw(st.sampled_from((IGNORED, *range(classes), classes)))
    put = tuple(draw(st.lists(st.sampled_from((ignored, classes - 1)), max_size=4)))
    return Case(arguments | {"ignore_index": ignored}, (logits, Labels(rows, classes, put)), seed=draw(SEEDS))


@st.composite
def nll(draw: st.DrawFn) -> Case:
    """Any shape; the input need not be log-probabilities."""
    case = draw(cross_entropy(targets=("indices",)))
    arguments = {name: value for name, value in case.arguments.items() if name != "label_smoothing"}
    (logits, _) = case.inputs
    assert isinstance(logits, Normal)
    return replace(case, arguments=arguments, tolerance=scaled(logits.scale, "what is added up cancels"))


HUGE = (1e4, -1e4, 0.0, -1e4, 1e4, 1e4)
BOTH: tuple[Draw, ...] = (Labels((2,), 3, (1, 2)), Shares((2, 3), 1))

CROSS_ENTROPY = Subject(
    "CrossEntropyLoss",
    cases=(
        Case({}, indices((CLASSES,))),
        Case({}, indices((4, CLASSES))),
        Case({}, indices((2, CLASSES, 2, 2))),
        Case({}, shares((2, CLASSES, 2, 2))),
        Case({}, indices((3, 1), 0, 0, 0), "one class"),
        *every_combination(),
        *with_ignored_rows(),
        *(
            Case(
                {"reduction": r, "label_smoothing": e},
                (Normal((2, 3), put=HUGE), target),
                "huge",
                rough="too large",
            )
            for r, e, target in product(("mean", "none"), (0.0, 0.1), BOTH)
        ),
        Case(
            {"reduction": "none"},
            (Normal((2, 2), put=(-inf, 0.0, -inf, -inf)), Labels((2,), 2, (0, 1))),
            "-inf",
            rough="infinities",
        ),
        *(
            Case(
                {"reduction": "none", "label_smoothing": e, "weight": weight},
                (Normal((3, 3), put=(-inf,)), target),
                "-inf",
                rough="infinities",
            )
            for e, weight, target in product(
                (0.1, 1.0), (None, WEIGHT), (Labels((3,), 3, (0, 1)), Shares((3, 3), 1))
            )
        ),
        *(Case({"label_smoothing": -0.5}, target((4, CLASSES)), "below 0") for target in (indices, shares)),
        *(Case({"label_smoothing": e}, indices((0, CLASSES)), "no rows") for e in (0.0, 0.1)),
        Case({"reduction": "sum"}, shares((0, CLASSES)), "no rows"),
        Case({}, indices((2, CLASSES, 0)), "no rows"),
    ),
    strategy=cross_entropy(),
    bad=(
        Bad({"weight": (1.0, "2")}, "float_type", ("weight", 1)),
        Bad({"weight": (1.0, nan)}, "finite_number", ("weight", 1)),
        Bad({"weight": 1.0}, "tuple_type", ("weight",)),
        Bad({"ignore_index": 0.0}, "int_type", ("ignore_index",)),
        Bad({"ignore_index": None}, "int_type", ("ignore_index",)),
        Bad({"reduction": "batchmean"}, "literal_error", ("reduction",)),
        Bad({"label_smoothing": 1.1}, "less_than_equal", ("label_smoothing",)),
    ),
    misfits=(
        Misfit(
            {},
            (Spec((4, 0)), Spec((4,), "int")),
            "CrossEntropyLoss takes at least one class but its input is (4, 0)",
            argument=0,
        ),
        Misfit(
            {"ignore_index": 1},
            (Spec((4, 3)), Spec((4, 3))),
            "ignore_index is for class indices but the target holds class probabilities",
            field="ignore_index",
            argument=1,
        ),
        Misfit(
            {},
            (Spec((4, 3), "int"), Spec((4,), "int")),
            "CrossEntropyLoss takes floating-point numbers but its input holds ints",
            argument=0,
        ),
        Misfit(
            {},
            (Spec(()), Spec((), "int")),
            "CrossEntropyLoss takes logits (N, C, ...) but its input is a single number",
            argument=0,
        ),
        Misfit(
            {"weight": (1.0, 2.0)},
            (Spec((4, 3)), Spec((4,), "int")),
            "weight has 2 numbers but the input (4, 3) has 3 classes",
            field="weight",
        ),
        Misfit(
            {},
            (Spec((4, 3)), Spec((4, 1), "int")),
            "CrossEntropyLoss takes class indices (4,) int or class probabilities (4, 3) for an input (4, 3), "
            "but its target is (4, 1) int",
            argument=1,
        ),
        Misfit(
            {},
            (Spec((4, 3)), Spec((4,))),
            "CrossEntropyLoss takes class indices as integers but its target holds floats; "
            "make the data field {columns: ..., dtype: int64} where the column holds them, "
            "{columns: ..., transforms: [ClassLabels]} where it holds names",
            argument=1,
        ),
        Misfit(
            {},
            (Spec((3,)), Spec((), "bool")),
            "CrossEntropyLoss takes class indices as integers but its target holds bools; "
            "make the data field {columns: ..., dtype: int64} where the column holds them, "
            "{columns: ..., transforms: [ClassLabels]} where it holds names",
            argument=1,
        ),
    ),
    bad_targets=(
        BadTarget(
            {},
            Spec((2, 3)),
            (0, IGNORED, 3, 7),
            "the class 3 does not exist: the model's output has 3, 0 to 2",
            row=2,
        ),
        BadTarget(
            {"ignore_index": 9},
            Spec((2, 3, 2)),
            ((0, 9), (1, 2), (2, -1)),
            "the class -1 does not exist: the model's output has 3, 0 to 2",
            row=2,
        ),
    ),
)

NLL = Subject(
    "NLLLoss",
    cases=(
        *(
            Case({"weight": weight, "reduction": reduction}, indices(shape))
            for weight, reduction, shape in product(
                (None, WEIGHT), REDUCTIONS, ((CLASSES,), (4, CLASSES), (2, CLASSES, 2), (2, CLASSES, 2, 2))
            )
        ),
        *(
            replace(case, arguments={n: v for n, v in case.arguments.items() if n != "label_smoothing"})
            for case in with_ignored_rows()
            if case.arguments["label_smoothing"] == 0
        ),
        Case({}, indices((3, 1), 0, 0, 0), "one class"),
        *(
            Case(
                {"weight": weight, "reduction": "none"},
                (Normal((2, 2), put=(-inf, 0.0, -inf, -inf)), Labels((2,), 2, (0, 1))),
                "-inf",
                rough="infinities",
            )
            for weight in (None, (0.0, 1.0))
        ),
        *(Case({"reduction": reduction}, indices((0, CLASSES)), "no rows") for reduction in REDUCTIONS),
        Case({}, indices((2, CLASSES, 0)), "no rows"),
    ),
    strategy=nll(),
    bad=(
        Bad({"weight": (1.0, "2")}, "float_type", ("weight", 1)),
        Bad({"ignore_index": 0.0}, "int_type", ("ignore_index",)),
        Bad({"reduction": "batchmean"}, "literal_error", ("reduction",)),
    ),
    misfits=(
        Misfit(
            {},
            (Spec((4, 0)), Spec((4,), "int")),
            "NLLLoss takes at least one class but its input is (4, 0)",
            argument=0,
        ),
        Misfit(
            {},
            (Spec(()), Spec((), "int")),
            "NLLLoss takes log-probabilities (N, C, ...) but its input is a single number",
            argument=0,
        ),
        Misfit(
            {"weight": (1.0, 2.0)},
            (Spec((4, 3)), Spec((4,), "int")),
            "weight has 2 numbers but the input (4, 3) has 3 classes",
            field="weight",
        ),
        Misfit(
            {},
            (Spec((4, 3)), Spec((4, 3))),
            "NLLLoss takes class indices (4,) int for an input (4, 3), but its target is (4, 3)",
            argument=1,
        ),
        Misfit(
            {},
            (Spec((4, 3)), Spec((4,))),
            "NLLLoss takes class indices as integers but its target holds floats; "
            "make the data field {columns: ..., dtype: int64} where the column holds them, "
            "{columns: ..., transforms: [ClassLabels]} where it holds names",
            argument=1,
        ),
    ),
    bad_targets=(
        BadTarget(
            {},
            Spec((2, 3)),
            (0, IGNORED, 3),
            "the class 3 does not exist: the model's output has 3, 0 to 2",
            row=2,
        ),
    ),
)

SUBJECTS = (CROSS_ENTROPY, NLL)
