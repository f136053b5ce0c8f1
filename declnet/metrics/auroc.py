"""AUROC, the area under the receiver operating characteristic."""

from __future__ import annotations

import math
from typing import Literal, final

import numpy as np

from declnet.core.metric import Meter
from declnet.core.registry import metrics
from declnet.core.spec import Array, Spec
from declnet.metrics.class_scores import ClassMetric, are_logits, softmax


def _area(scores: Array, positive: Array) -> float:
    """The share of pairs of a positive and a negative in which the positive has the higher score; of equal
    scores, half. From ranks: the sum of the positives' is what counts those pairs.
    """
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2  # equal scores share the mean of their ranks
    own = int(np.count_nonzero(positive))
    pairs = own * (positive.size - own)
    return float((ranks[place][positive].sum() - own * (own + 1) / 2) / pairs) if pairs else math.nan


class _Scores(Meter):
    """All scores and classes of the split."""

    def __init__(self, metric: Auroc, *, logits: bool) -> None:
        self.metric, self.logits = metric, logits
        self.scores: list[Array] = []
        self.classes: list[Array] = []

    def update(self, output: Array, target: Array) -> None:
        """Keep what counts."""
        scores, classes = self.metric.rows(output, target)
        self.scores.append(scores.copy())
        self.classes.append(classes.copy())

    def result(self) -> float:
        """Rank all scores of a class."""
        if not self.scores:
            return math.nan
        scores, classes = np.concatenate(self.scores), np.concatenate(self.classes)
        if self.logits and scores.ndim > 1:  # of one number a sigmoid would keep the order
            scores = softmax(scores)
        if np.isnan(scores).any():
            return math.nan
        if scores.ndim == 1:
            return _area(scores, classes == 1)
        there, weights = np.unique(classes, return_counts=True)
        if there.size < 2:
            return math.nan
        areas = [_area(scores[:, index], classes == index) for index in there]
        return float(np.average(areas, weights=weights if self.metric.average == "weighted" else None))


@metrics.register
@final
class Auroc(ClassMetric):
    """Area under the ROC curve: the chance that a row of a class has a higher score than one that is not, 0 to 1.

    Exact: equal scores count half, and the scores of the whole split are kept in memory for it. With scores of
    classes each is held against the rest; what is ranked then is its probability, after a softmax over the
    classes, and classes that are no target are left out. Without two classes among the targets it is undefined.

    Shape:
        output: (N, C) or (N, C, d1, ..., dK), the classes in dimension 1. target: class indices, the
        output's shape without C. Or output: (N,) or (N, 1). target: 0 or 1, (N,) or (N, 1).

    Parameters:
        ignore_index: a target that does not count.
        average: macro is the mean over classes, weighted the mean weighed by how often each is there.
        from_logits: whether scores of classes are logits or log-probabilities, not probabilities; left out:
            probabilities where Sigmoid or Softmax makes them or BCELoss reads them, else logits.

    Raises:
        ShapeError: outputs and targets don't fit.
        DataError: a target is no class.

    Reference: https://scikit-learn.org/stable/modules/generated/sklearn.metrics.roc_auc_score.html
    """

    higher_is_better = True

    type: Literal["auroc"] = "auroc"
    average: Literal["macro", "weighted"] = "macro"
    from_logits: bool | None = None

    def meter(self, output: Spec, target: Spec, *, probabilities: bool) -> Meter:
        """Keep scores."""
        return _Scores(self, logits=are_logits(self.from_logits, probabilities))
