"""Metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    Uniform,
    shapes,
)
from declnet.core.spec import Spec

DIGITS = st.sampled_from((None, 1, 0))
"""To how many digits scores are rounded: ties, many of them."""

Arguments = Mapping[str, st.SearchStrategy[object]]

IGNORED: Arguments = {"ignore_index": st.sampled_from((-100, 0, 1))}
SCORED: Arguments = {**IGNORED, "from_logits": st.sampled_from((None, True, False))}
CUT: Arguments = {**SCORED, "threshold": st.sampled_from((0.5, 0.2, 0.9))}


@st.composite
def of_classes(draw: st.DrawFn, arguments: Arguments, *, least: int = 2) -> Case:
    """Scores of classes against indices, of which some may not occur, or all may be one."""
    rows, inner = draw(st.integers(1, 12)), draw(shapes(0, 2, side=1))
    classes = draw(st.integers(least, 5))
    given = draw(st.fixed_dictionaries(dict(arguments)))
    shape = (rows, classes, *inner)
    if given.get("from_logits", None) is False:
        output: Draw = Shares(shape, 1)
    else:
        output = Normal(shape, scale=draw(st.sampled_from((1.0, 5.0))), digits=draw(DIGITS))
    return Case(given, (output, Labels((rows, *inner), draw(st.integers(1, classes)))), seed=draw(SEEDS))


@st.composite
def binary(draw: st.DrawFn, arguments: Arguments) -> Case:
    """One number for each target, 0 or 1, or all of them 0; integers or floats."""
    rows = draw(st.integers(1, 12))
    output, target = (draw(st.sampled_from(((rows,), (rows, 1)))) for _ in range(2))
    given = draw(st.fixed_dictionaries(dict(arguments)))
    probabilities = given.get("from_logits") is False
    numbers: Draw = Uniform(output, 0, 1) if probabilities else Normal(output, digits=draw(DIGITS))
    wanted: Draw = Labels(target, draw(st.integers(1, 2)))
    return Case(given, (numbers, wanted), seed=draw(SEEDS))


@st.composite
def of_columns(draw: st.DrawFn) -> Case:
    """Outputs and targets of one shape; rounded, whole columns are one number."""
    shape = (draw(st.integers(1, 12)), *draw(shapes(0, 2, side=1)))
    digits = draw(st.sampled_from((None, 0)))
    scale = draw(st.sampled_from((0.3, 1.0, 1e3)))
    return Case({}, (Normal(shape, scale, digits), Normal(shape, scale, digits)), seed=draw(SEEDS))


def misfits(name: str, *, also: bool = True, **given: object) -> Iterator[Misfit]:
    """What every metric of classes refuses; `also` what those refuse that take one number for each target."""
    takes = f"{name} compares outputs (N, C) with class indices (N,)"
    takes += ", or outputs (N,) or (N, 1) with targets 0 and 1" if also else ""
    hint = "; make the data field {columns: ..., dtype: int64} where the column holds them, "
    hint += "{columns: ..., transforms: [ClassLabels]} where it holds names"
    pairs = [
        (Spec((8, 3)), Spec((8,)), hint),
        (Spec((8, 3)), Spec((8, 1), "int"), ""),
        (Spec((8, 3)), Spec((8, 3)), ""),
        (Spec((8, 3, 2)), Spec((8,), "int"), ""),
        (Spec((8,)), Spec((8, 2), "int"), ""),
        (Spec((8, 0)), Spec((8,), "int"), ""),
        (Spec(()), Spec((8,), "int"), ""),
        (Spec((8, 3)), Spec((), "int"), ""),
    ]
    if not also:
        pairs += [(Spec((8,)), Spec((8,), "int"), ""), (Spec((8, 1)), Spec((8,), "int"), "")]
    for output, target, mend in pairs:
        yield Misfit(given, (output, target), f"{takes}, but the output is {output} and the target {target}{mend}")


def bad_targets(name: str, *, also: bool = True, **given: object) -> Iterator[BadTarget]:
    """The targets that every metric of classes refuses, and those that it refuses for one number each."""
    missing = "does not exist: the model's output has 3, 0 to 2"
    yield BadTarget(given, Spec((1, 3)), (0, 2, 3), f"the class 3 {missing}", 2)
    yield BadTarget(given, Spec((1, 3)), (0, -100, -1), f"the class -1 {missing}", 2)
    yield BadTarget(
        {**given, "ignore_index": 5}, Spec((1, 3, 2)), ((0, 5), (-100, 1)), f"the class -100 {missing}", 1
    )
    if also:
        takes = f"{name} takes the targets 0 and 1 where there is one output for each; got"
        yield BadTarget({}, Spec((1,)), (0, 1, 2), f"{takes} 2", 2)
        yield BadTarget({}, Spec((1, 1)), (0.0, 0.25, 1.0), f"{takes} 0.25", 1)
        yield BadTarget({"ignore_index": 5}, Spec((1, 1)), (5, 1, -100), f"{takes} -100", 2)


def cases_of_classes(**arguments: object) -> tuple[Case, ...]:
    """Scores of classes as they come."""
    return (
        Case(arguments, (Normal((20, 3)), Labels((20,), 3))),
        Case(arguments, (Normal((20, 3), digits=0), Labels((20,), 3)), "ties"),
        Case(arguments, (Normal((5, 2, 2, 3)), Labels((5, 2, 3), 2))),
        Case(arguments, (Normal((9, 4)), Labels((9,), 2)), "classes that are no target"),
        Case(arguments, (Normal((6, 3)), Labels((6,), 1)), "one class"),
        Case(arguments, (Normal((6, 2)), Labels((6,), 2, put=(-100, -100))), "ignored targets"),
        Case({**arguments, "ignore_index": 0}, (Normal((4, 2)), Labels((4,), 1)), "all targets ignored"),
        Case({**arguments, "ignore_index": 7}, (Normal((9, 3)), Labels((9,), 3, put=(7,))), "a class of no score"),
    )


def cases_of_two(**arguments: object) -> tuple[Case, ...]:
    """One number for each target."""
    return (
        Case(arguments, (Normal((20,)), Labels((20,), 2))),
        Case(arguments, (Normal((20, 1), digits=0), Labels((20,), 2)), "ties"),
        Case(arguments, (Normal((20, 1)), Uniform((20, 1), 1, 1, put=(0.0, 0.0, 0.0))), "targets are floats"),
        Case(arguments, (Normal((4, 1, 2, 3)), Labels((4, 2, 3), 2))),
        Case({**arguments, "from_logits": False}, (Uniform((20,), 0, 1), Labels((20,), 2))),
        Case(arguments, (Normal((6,)), Labels((6,), 1)), "only 0"),
        Case(arguments, (Normal((6,)), Labels((6,), 2, put=(-100, 1))), "ignored targets"),
        Case(arguments, (Normal((5,), put=(nan, inf, -inf)), Labels((5,), 2)), "not finite"),
    )


CUTS = (
    Case({"threshold": 0.9}, (Normal((20,), 3.0), Labels((20,), 2))),
    Case({"threshold": 0.2, "from_logits": False}, (Uniform((20, 1), 0, 1), Labels((20,), 2))),
)
BAD_CUTS = (
    Bad({"threshold": 0}, "greater_than", ("threshold",)),
    Bad({"threshold": 1}, "less_than", ("threshold",)),
)


def unused_cut(name: str) -> Misfit:
    """A threshold where the largest score decides."""
    message = f"{name} takes the class with the largest score of 3, whatever the threshold; leave it out"
    return Misfit({"threshold": 0.7}, (Spec((8, 3)), Spec((8,), "int")), message, field="threshold", argument=0)


ACCURACY = Subject(
    "accuracy",
    cases=(
        *cases_of_classes(),
        *cases_of_two(),
        *CUTS,
        Case(
            {}, (Normal((4, 3), put=(0.0, nan, inf, nan, 0.0, nan)), Labels((4,), 3, put=(1, 0))), "NaN is largest"
        ),
        Case({}, (Labels((6, 3), 2), Labels((6,), 3)), "integer outputs"),
    ),
    strategy=of_classes(SCORED) | binary(CUT),
    bad=(Bad({"type": "Accuracy"}, "literal_error", ("type",)), *BAD_CUTS),
    misfits=(*misfits("accuracy"), unused_cut("accuracy")),
    bad_targets=tuple(bad_targets("accuracy")),
)

TOP_K = Subject(
    "top_k",
    cases=(
        *cases_of_classes(k=2),
        Case({"k": 1}, (Normal((20, 3), digits=0), Labels((20,), 3))),
        Case({"k": 3}, (Normal((20, 3)), Labels((20,), 3)), "all"),
        Case({"k": 5}, (Normal((20, 9)), Labels((20,), 9))),
        Case({"k": 2}, (Labels((20, 5), 2), Labels((20,), 5)), "integer outputs"),
    ),
    strategy=of_classes({**IGNORED, "k": st.just(1)}) | of_classes({**IGNORED, "k": st.integers(2, 3)}, least=3),
    bad=(Bad({"k": 0}, "greater_than", ("k",)), Bad({}, "missing", ("k",))),
    bad_targets=tuple(bad_targets("top_k", also=False, k=1)),
    misfits=(
        *misfits("top_k", also=False, k=1),
        Misfit(
            {"k": 5},
            (Spec((8, 3)), Spec((8,), "int")),
            "top_k looks at 5 classes but its output (8, 3) has 3; lower k",
            field="k",
            argument=0,
        ),
    ),
)


def averaged(name: str) -> Subject:
    """Precision, recall, F1: they refuse the same."""
    return Subject(
        name,
        cases=(
            *cases_of_classes(),
            *cases_of_two(),
            *CUTS,
            *(
                Case({"average": average}, (Normal((20, 4)), Labels((20,), 3)))
                for average in ("macro", "micro", "weighted")
            ),
            *(
                Case({"average": average}, inputs)
                for average in ("binary", "macro", "micro", "weighted")
                for inputs in (
                    (Normal((20, 2)), Labels((20,), 2)),
                    (Normal((20,)), Labels((20,), 2)),
                )
            ),
            Case({"average": "binary"}, (Normal((3, 1), put=(-1.0, -1.0, -1.0)), Labels((3,), 1)), "no 1 at all"),
        ),
        strategy=of_classes({**SCORED, "average": st.sampled_from((None, "macro", "micro", "weighted"))})
        | binary({**CUT, "average": st.sampled_from((None, "binary", "macro", "micro", "weighted"))}),
        bad=(Bad({"average": "samples"}, "literal_error", ("average",)), *BAD_CUTS),
        bad_targets=tuple(bad_targets(name)),
        misfits=(
            *misfits(name),
            unused_cut(name),
            Misfit(
                {"average": "binary"},
                (Spec((8, 3)), Spec((8,), "int")),
                f"{name} of class 1 alone (binary) is for two classes, but its output (8, 3) has 3; "
                "choose macro, micro or weighted",
                field="average",
                argument=0,
            ),
        ),
    )


AUROC = Subject(
    "auroc",
    cases=(
        *cases_of_classes(),
        *cases_of_classes(average="weighted"),
        *cases_of_two(),
        Case({"from_logits": False}, (Shares((20, 3), 1), Labels((20,), 3))),
        Case({}, (Normal((5, 3), put=(nan,)), Labels((5,), 3)), "not finite"),
        Case({}, (Normal((5, 3), put=(inf,)), Labels((5,), 3)), "infinite"),
        Case({}, (Normal((9, 3), put=(-inf,)), Labels((9,), 3)), "impossible"),
    ),
    strategy=of_classes(
        {**IGNORED, "average": st.sampled_from(("macro", "weighted")), "from_logits": SCORED["from_logits"]}
    )
    | binary({**IGNORED, "from_logits": SCORED["from_logits"]}),
    bad=(Bad({"average": "micro"}, "literal_error", ("average",)),),
    misfits=tuple(misfits("auroc")),
    bad_targets=tuple(bad_targets("auroc")),
)

CONFUSION_MATRIX = Subject(
    "confusion_matrix",
    cases=(*cases_of_classes(), *cases_of_two(), *CUTS),
    strategy=of_classes(SCORED) | binary(CUT),
    bad=BAD_CUTS,
    misfits=(*misfits("confusion_matrix"), unused_cut("confusion_matrix")),
    bad_targets=tuple(bad_targets("confusion_matrix")),
)

PERPLEXITY = Subject(
    "perplexity",
    cases=(
        *cases_of_classes(),
        Case({"from_logits": False}, (Shares((20, 3), 1), Labels((20,), 3))),
        Case({}, (Normal((5, 3), put=(nan,)), Labels((5,), 3)), "not finite"),
    ),
    strategy=of_classes({**IGNORED, "from_logits": SCORED["from_logits"]}),
    bad=(Bad({"ignore_index": 0.5}, "int_type", ("ignore_index",)),),
    misfits=tuple(misfits("perplexity", also=False)),
    bad_targets=tuple(bad_targets("perplexity", also=False)),
)


def regression(name: str) -> Subject:
    """What outputs and targets of one shape are measured with."""
    return Subject(
        name,
        cases=(
            Case({}, (Normal((20,)), Normal((20,)))),
            Case({}, (Normal((20, 1)), Normal((20, 1)))),
            Case({}, (Normal((7, 2, 3)), Normal((7, 2, 3)))),
            Case({}, (Normal((7, 2)), Labels((7, 2), 5)), "integer targets"),
            Case({}, (Normal((9,), 0.1), Uniform((9,), 2, 2)), "one target"),
            Case({}, (Uniform((9,), 2, 2), Uniform((9,), 2, 2)), "one target, met"),
            Case({}, (Normal((1, 3)), Normal((1, 3))), "one row"),
            Case({}, (Uniform((9,), 1e6, 1e6 + 1), Uniform((9,), 1e6, 1e6 + 1)), "far from 0"),
            Case({}, (Normal((5,), put=(nan,)), Normal((5,))), "not finite"),
        ),
        strategy=of_columns(),
        bad=(Bad({"type": name.upper()}, "literal_error", ("type",)),),
        misfits=tuple(
            Misfit(
                {},
                (output, target),
                f"{name} compares outputs with targets of the same shape, but the output is {output} and the "
                f"target {target}",
            )
            for output, target in ((Spec((8, 1)), Spec((8,))), (Spec((8, 3)), Spec((8,), "int")))
        ),
    )


SUBJECTS = (
    ACCURACY,
    TOP_K,
    *map(averaged, ("precision", "recall", "f1")),
    AUROC,
    CONFUSION_MATRIX,
    PERPLEXITY,
    *map(regression, ("mae", "rmse", "r2")),
)
