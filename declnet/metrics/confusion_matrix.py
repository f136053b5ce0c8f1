"""The confusion matrix."""

from __future__ import annotations

from typing import ClassVar, Literal, final

import numpy as np

from declnet.core.metric import Meter
from declnet.core.registry import metrics
from declnet.core.spec import Array, Spec
from declnet.metrics.class_scores import Deciding, is_binary


class _Matrix(Meter):
    """Counts of each class and decision."""

    def __init__(self, metric: Deciding, classes: int, cut: float) -> None:
        self.metric, self.cut = metric, cut
        self.counts = np.zeros((classes, classes), np.int64)

    def update(self, output: Array, target: Array) -> None:
        """Count the decisions."""
        decided, classes = self.metric.decide(output, target, self.cut)
        flat = self.counts.reshape(-1)
        flat += np.bincount(classes * len(self.counts) + decided, minlength=flat.size)

    def result(self) -> list[list[int]]:
        """A row for each class."""
        return [[int(count) for count in row] for row in self.counts]


@metrics.register
@final
class ConfusionMatrix(Deciding):
    """How often the targets of a class were taken for each: matrix[i][j] targets of class i were taken for class j.

    It stands in the summary, and is printed after training. What an output stands for is as in `accuracy`.

    Shape:
        output: (N, C) or (N, C, d1, ..., dK), the classes in dimension 1. target: class indices, the
        output's shape without C. Or output: (N,) or (N, 1). target: 0 or 1, (N,) or (N, 1). The matrix is
        (C, C), or (2, 2).

    Parameters:
        ignore_index: a target that does not count.
        threshold: the probability above which one number stands for class 1.
        from_logits: whether one number is a logit, not a probability; left out: a probability where Sigmoid or
            Softmax makes it or BCELoss reads it, else a logit.

    Raises:
        ShapeError: outputs and targets don't fit.
        DataError: a target is no class.

    Reference: https://scikit-learn.org/stable/modules/generated/sklearn.metrics.confusion_matrix.html
    """

    axes: ClassVar[tuple[str, str] | None] = ("class", "taken for")

    type: Literal["confusion_matrix"] = "confusion_matrix"

    def meter(self, output: Spec, target: Spec, *, probabilities: bool) -> Meter:
        """Count decisions."""
        return _Matrix(self, 2 if is_binary(output) else output.shape[1], self.cut(probabilities))
