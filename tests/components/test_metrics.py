"""Metrics against scikit-learn, on the cases of their table and on what Hypothesis draws; batches cut anywhere."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special
from sklearn import exceptions
from sklearn import metrics as sklearn

from components.cases import metrics as cases
from components.cases.case import Case, Subject
from components.cases.tables import examples, of
from components.harness import DTYPES, material, measure
from declnet.core.metric import Measure, Metric
from declnet.core.spec import Array
from declnet.metrics.accuracy import Accuracy
from declnet.metrics.auroc import Auroc
from declnet.metrics.perplexity import Perplexity
from declnet.metrics.r2 import R2
from declnet.metrics.top_k import TopK
from declnet.testing import spec_of

PROFILE = settings.get_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
TOLERANCE = 1e-9


def flat(metric: Any, output: Array, target: Array) -> tuple[Array, Array]:
    """Scores and classes as scikit-learn takes them, in float64, without what is ignored."""
    scores = output.astype(np.float64)
    if output.ndim == 1 or output.shape[1] == 1:
        scores = scores.reshape(-1)
    else:
        scores = np.moveaxis(scores, 1, -1).reshape(-1, output.shape[1])
    classes = target.reshape(-1)
    kept = classes != metric.ignore_index
    return scores[kept], classes[kept].astype(np.int64)


def labels(scores: Array) -> list[int]:
    return list(range(2 if scores.ndim == 1 else scores.shape[1]))


def probabilities(metric: Any, scores: Array) -> Array:
    if metric.from_logits is False:
        return scores
    found: Array = special.expit(scores) if scores.ndim == 1 else special.softmax(scores, axis=1)
    return found


def decided(metric: Any, scores: Array) -> Array:
    if scores.ndim == 2:
        return np.asarray(scores.argmax(axis=1))
    return (probabilities(metric, scores) > metric.threshold).astype(np.int64)


def accuracy(metric: Any, scores: Array, classes: Array) -> float:
    return float(sklearn.accuracy_score(classes, decided(metric, scores)))


def top_k(metric: Any, scores: Array, classes: Array) -> float:
    """Of equal scores scikit-learn takes the last class first: so the classes are turned round."""
    turned, last = scores[:, ::-1], scores.shape[1] - 1
    if last == 1:  # scikit-learn would have the score of one class alone
        return float(sklearn.accuracy_score(classes, scores.argmax(axis=1))) if metric.k == 1 else 1.0
    return float(sklearn.top_k_accuracy_score(last - classes, turned, k=metric.k, labels=labels(scores)))


def averaged(function: Callable[..., float]) -> Callable[[Any, Array, Array], float]:
    def figure(metric: Any, scores: Array, classes: Array) -> float:
        average = metric.average or ("binary" if scores.ndim == 1 else "macro")
        return float(function(classes, decided(metric, scores), average=average, zero_division=0))

    return figure


def auroc(metric: Any, scores: Array, classes: Array) -> float:
    if scores.ndim == 1:
        return float(sklearn.roc_auc_score(classes, scores))
    shares = probabilities(metric, scores)
    there, counts = np.unique(classes, return_counts=True)
    if 2 < len(there) == shares.shape[1]:
        kind: dict[str, Any] = {"multi_class": "ovr", "average": metric.average}
        return float(sklearn.roc_auc_score(classes, shares, labels=labels(scores), **kind))
    each = [sklearn.roc_auc_score(classes == index, shares[:, index]) for index in there]
    return float(np.average(each, weights=counts if metric.average == "weighted" else None))


def confusion_matrix(metric: Any, scores: Array, classes: Array) -> Array:
    return np.asarray(sklearn.confusion_matrix(classes, decided(metric, scores), labels=labels(scores)))


def perplexity(metric: Any, scores: Array, classes: Array) -> float:
    return math.exp(sklearn.log_loss(classes, probabilities(metric, scores), labels=labels(scores)))


OF_CLASSES: dict[str, Callable[[Any, Array, Array], float | Array]] = {
    "accuracy": accuracy,
    "top_k": top_k,
    "precision": averaged(sklearn.precision_score),
    "recall": averaged(sklearn.recall_score),
    "f1": averaged(sklearn.f1_score),
    "auroc": auroc,
    "confusion_matrix": confusion_matrix,
    "perplexity": perplexity,
}
OF_COLUMNS: dict[str, Callable[[Array, Array], float]] = {
    "mae": lambda output, target: sklearn.mean_absolute_error(target.reshape(-1), output.reshape(-1)),
    "rmse": lambda output, target: sklearn.root_mean_squared_error(target.reshape(-1), output.reshape(-1)),
    "r2": lambda output, target: sklearn.r2_score(target.reshape(len(target), -1), output.reshape(len(output), -1)),
}


DECIDED = ("accuracy", "top_k", "precision", "recall", "f1", "confusion_matrix")
"""Of what is not a number they still make a decision."""


def expected(metric: Any, output: Array, target: Array) -> float | Array:
    """What scikit-learn says, which computes in float64, and refuses no rows and what is not a number."""
    with warnings.catch_warnings():
        # Of what is undefined scikit-learn warns, and gives NaN; of a class that is never predicted, too.
        warnings.filterwarnings("ignore", category=exceptions.UndefinedMetricWarning)
        warnings.filterwarnings("ignore", "The y_prob values do not sum to one")  # of float32, not to the last bit
        warnings.filterwarnings("ignore", "A single label was found|'k' .* greater than or equal to 'n_classes'")
        numbers = output.astype(np.float64)
        if metric.type not in DECIDED and (np.isnan(numbers) | (numbers == np.inf)).any():
            return math.nan
        if metric.type in OF_COLUMNS:
            return OF_COLUMNS[metric.type](output.astype(np.float64), target.astype(np.float64))
        scores, classes = flat(metric, output, target)
        if not classes.size:
            return np.zeros((len(labels(scores)),) * 2) if metric.type == "confusion_matrix" else math.nan
        return OF_CLASSES[metric.type](metric, scores, classes)


def assert_equal(actual: object, wanted: object) -> None:
    np.testing.assert_allclose(np.array(actual), np.array(wanted), rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize(("subject", "case"), examples(Metric))
def test_equals_scikit_learn(subject: Subject, case: Case) -> None:
    numbers, metric = material(subject, case), subject(case.arguments)
    for dtype in DTYPES:
        wanted = expected(metric, *numbers.cast(dtype).inputs)
        assert_equal(measure(metric, numbers, dtype)["output"], wanted)


@pytest.mark.parametrize("subject", of(Metric))
def test_nothing_was_taken(subject: Subject) -> None:
    """No rows: no figure, and a matrix of nothing."""
    case = subject.cases[0]
    metric: Any = subject(case.arguments)
    result = metric.meter(*map(spec_of, material(subject, case).inputs), probabilities=False).result()
    assert_equal(result, np.zeros((3, 3)) if metric.axes else math.nan)


def pieces(rows: int, cuts: list[int]) -> Iterator[slice]:
    """The rows in batches: none is empty."""
    ends = [0, *sorted({cut % rows for cut in cuts} - {0}), rows]
    return (slice(*pair) for pair in pairwise(ends))


@pytest.mark.parametrize("subject", of(Metric))
@PROFILE
@given(data=st.data())
def test_what_is_drawn_equals_scikit_learn(subject: Subject, data: st.DataObject) -> None:
    case = data.draw(subject.strategy)
    metric: Any = subject(case.arguments)
    for dtype in DTYPES:
        output, target = material(subject, case).cast(dtype).inputs
        metric.check(spec_of(output), spec_of(target))
        metric.check_target(spec_of(output), target)
        meter = metric.meter(spec_of(output), spec_of(target), probabilities=False)
        for rows in pieces(len(output), data.draw(st.lists(st.integers(0, 11), max_size=4))):
            meter.update(output[rows], target[rows])
        assert_equal(meter.result(), expected(metric, output, target))


@PROFILE
@given(case=cases.of_classes(cases.IGNORED), special=st.lists(st.sampled_from((np.nan, np.inf, -np.inf, 0.0))))
def test_the_best_is_what_accuracy_takes(case: Case, special: list[float]) -> None:
    """`top_k` with k = 1, with ties and with what is not a finite number."""
    output, target = material(cases.TOP_K, Case({"k": 1}, case.inputs, seed=case.seed)).inputs
    output.reshape(-1)[: len(special)] = special[: output.size]
    found = []
    for metric in (Accuracy(**case.arguments), TopK(k=1, **case.arguments)):
        meter = metric.meter(spec_of(output), spec_of(target), probabilities=False)
        meter.update(output, target)
        found.append(meter.result())
    np.testing.assert_equal(*found)


def figure(metric: Metric, output: Array, target: Array, *, probabilities: bool = False) -> object:
    meter = metric.meter(spec_of(output), spec_of(target), probabilities=probabilities)
    meter.update(output, target)
    return meter.result()


def test_what_the_outputs_are() -> None:
    """What the model makes of them holds, unless the config says something else."""
    output, target = np.array([0.4, 0.6, 0.4, -0.1]), np.array([0, 1, 1, 0])
    assert figure(Accuracy(), output, target) == 0.75
    assert figure(Accuracy(), output, target, probabilities=True) == 0.75
    assert figure(Accuracy(threshold=0.3), output, target, probabilities=True) == 0.75
    assert figure(Accuracy(threshold=0.3, from_logits=True), output, target, probabilities=True) == 0.5
    assert figure(Accuracy(from_logits=False), output, target) == 0.75
    shares, classes = cases.Shares((50, 3), 1)(np.random.default_rng(0)), np.arange(50) % 3
    for metric in (Auroc, Perplexity):
        same = figure(metric(), np.log(shares), classes)
        assert figure(metric(), shares, classes, probabilities=True) == pytest.approx(same, rel=TOLERANCE)
        assert figure(metric(from_logits=False), shares, classes) == pytest.approx(same, rel=TOLERANCE)
        assert figure(metric(), shares, classes) != pytest.approx(same, rel=1e-3)


def test_a_column_that_never_changes() -> None:
    """Its variance is 0, however its mean is rounded."""
    target = np.full(3, 0.1)
    assert figure(R2(), target, target) == 1
    assert figure(R2(), target + 1, target) == 0


@pytest.mark.parametrize(
    ("measure", "label"),
    [
        (Measure(Accuracy(), ()), "accuracy"),
        (Measure(Accuracy(threshold=0.5), ()), "accuracy"),
        (Measure(TopK(k=3), ()), "top_k(k=3)"),
        (Measure(Accuracy(), (), ("digit", "y")), "accuracy(output=digit, target=y)"),
        (Measure(Accuracy(), (), {"output": "heads.digit"}), "accuracy(output=heads.digit)"),
        (Measure(TopK(k=3), (), {"target": "y"}), "top_k(k=3, target=y)"),
    ],
)
def test_a_label_says_what_is_not_as_by_default(measure: Measure, label: str) -> None:
    assert measure.label == label
