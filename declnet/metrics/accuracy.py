"""Accuracy."""

from __future__ import annotations

from typing import Literal, final

import numpy as np

from declnet.core.metric import Meter
from declnet.core.registry import metrics
from declnet.core.spec import Array, Spec
from declnet.metrics.class_scores import Deciding, share


class _Right(Meter):
    """Right answers out of all."""

    def __init__(self, metric: Deciding, cut: float) -> None:
        self.metric, self.cut = metric, cut
        self.right = self.all = 0

    def update(self, output: Array, target: Array) -> None:
        """Compare the class of each row with the target's."""
        decided, classes = self.metric.decide(output, target, self.cut)
        self.right += int(np.count_nonzero(decided == classes))
        self.all += classes.size

    def result(self) -> float:
        """The share of right answers."""
        return share(self.right, self.all)


@metrics.register
@final
class Accuracy(Deciding):
    """Share of targets whose class the output stands for: accuracy = right / all, 0 to 1.

    The output stands for the class with the largest score, of equal ones the first, as in torch.argmax; where it
    is one number, for class 1 if its probability is above the threshold, else for class 0.

    Shape:
        output: (N, C) or (N, C, d1, ..., dK), the classes in dimension 1. target: class indices, the
        output's shape without C. Or output: (N,) or (N, 1). target: 0 or 1, (N,) or (N, 1).

    Parameters:
        ignore_index: a target that does not count.
        threshold: the probability above which one number stands for class 1.
        from_logits: whether one number is a logit, not a probability; left out: a probability where Sigmoid or
            Softmax makes it or BCELoss reads it, else a logit.

    Raises:
        ShapeError: outputs and targets don't fit.
        DataError: a target is no class.

    Reference: https://scikit-learn.org/stable/modules/generated/sklearn.metrics.accuracy_score.html
    """

    higher_is_better = True

    type: Literal["accuracy"] = "accuracy"

    def meter(self, output: Spec, target: Spec, *, probabilities: bool) -> Meter:
        """Count right answers."""
        return _Right(self, self.cut(probabilities))
