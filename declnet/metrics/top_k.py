"""Top-k accuracy."""

from __future__ import annotations

from typing import ClassVar, Literal, final

import numpy as np
from pydantic import PositiveInt

from declnet.core.metric import Meter
from declnet.core.registry import metrics
from declnet.core.spec import Array, Spec
from declnet.errors import ShapeError
from declnet.metrics.class_scores import ClassMetric, share


class _Found(Meter):
    """Targets among the k best, out of all."""

    def __init__(self, metric: TopK) -> None:
        self.metric = metric
        self.found = self.all = 0

    def update(self, output: Array, target: Array) -> None:
        """Count the classes that come before the target's."""
        scores, classes = self.metric.rows(output, target)
        own = np.take_along_axis(scores, classes[:, None], axis=1)  # (n, 1)
        earlier = np.arange(scores.shape[1]) < classes[:, None]
        before = (scores > own) | ((scores == own) & earlier)
        if np.issubdtype(scores.dtype, np.inexact):
            unknown = np.isnan(scores)  # the largest, as in argmax
            before = np.where(np.isnan(own), unknown & earlier, before | unknown)
        self.found += int(np.count_nonzero(before.sum(axis=1) < self.metric.k))
        self.all += classes.size

    def result(self) -> float:
        """The share of targets found."""
        return share(self.found, self.all)


@metrics.register
@final
class TopK(ClassMetric):
    """Share of targets whose class is among the k with the largest scores, 0 to 1.

    Of equal scores that of the first class comes first, as in `accuracy`, which is `top_k` with k = 1
    (scikit-learn takes the last class first).

    Shape:
        output: (N, C) or (N, C, d1, ..., dK), the classes in dimension 1. target: class indices, the
        output's shape without C.

    Parameters:
        ignore_index: a target that does not count.
        k: how many classes are looked at, at most C.

    Raises:
        ShapeError: outputs and targets don't fit, or there are fewer than k classes.
        DataError: a target is no class.

    Reference: https://scikit-learn.org/stable/modules/generated/sklearn.metrics.top_k_accuracy_score.html
    """

    binary: ClassVar[bool] = False

    higher_is_better = True

    type: Literal["top_k"] = "top_k"
    k: PositiveInt

    def check(self, output: Spec, target: Spec) -> None:
        """Scores of at least k classes."""
        super().check(output, target)
        if self.k > output.shape[1]:
            raise ShapeError(
                f"top_k looks at {self.k} classes but its output {output} has {output.shape[1]}; lower k",
                field="k",
                argument=0,
            )

    def meter(self, output: Spec, target: Spec, *, probabilities: bool) -> Meter:
        """Count what is found."""
        return _Found(self)
