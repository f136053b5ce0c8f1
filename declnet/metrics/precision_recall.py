"""Precision, recall, and F1, their harmonic mean."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Literal, final

import numpy as np

from declnet.core.metric import Meter
from declnet.core.registry import metrics
from declnet.core.spec import Array, Spec
from declnet.errors import ShapeError
from declnet.metrics.class_scores import Deciding, is_binary

Average = Literal["binary", "macro", "micro", "weighted"]


class _Counts(Meter):
    """How often each class was right, predicted, and there; the figure is right / base, averaged."""

    def __init__(self, metric: _Averaged, classes: int, average: Average, cut: float) -> None:
        self.metric, self.average, self.cut = metric, average, cut
        self.right, self.predicted, self.actual = np.zeros((3, classes), np.int64)

    def update(self, output: Array, target: Array) -> None:
        """Count the decisions."""
        decided, classes = self.metric.decide(output, target, self.cut)
        size = self.actual.size
        self.right += np.bincount(classes[decided == classes], minlength=size)
        self.predicted += np.bincount(decided, minlength=size)
        self.actual += np.bincount(classes, minlength=size)

    def result(self) -> float:
        """The average over classes; NaN where nothing was counted."""
        base = self.metric.base(self.predicted, self.actual)
        if not self.actual.any():
            return math.nan
        if self.average == "micro":
            return float(self.right.sum() / base.sum())
        each = self.right / np.where(base == 0, 1, base)  # nothing is right where the base is 0
        if self.average == "binary":
            return float(each[1])
        if self.average == "weighted":
            return float(each @ self.actual / self.actual.sum())
        return float(each[(self.predicted > 0) | (self.actual > 0)].mean())


class _Averaged(Deciding, ABC):
    """A share of right decisions for each class, and the average of all."""

    average: Average | None = None

    @abstractmethod
    def base(self, predicted: Array, actual: Array) -> Array:
        """What the right decisions of each class are a share of."""

    def check(self, output: Spec, target: Spec) -> None:
        """Class 1 on its own is meant only where there are two."""
        super().check(output, target)
        if self.average == "binary" and not is_binary(output) and output.shape[1] != 2:
            raise ShapeError(
                f"{self.type} of class 1 alone (binary) is for two classes, but its output {output} has "
                f"{output.shape[1]}; choose macro, micro or weighted",
                field="average",
                argument=0,
            )

    def meter(self, output: Spec, target: Spec, *, probabilities: bool) -> Meter:
        """Count decisions for each class."""
        binary = is_binary(output)
        average = self.average or ("binary" if binary else "macro")
        return _Counts(self, 2 if binary else output.shape[1], average, self.cut(probabilities))


@metrics.register
@final
class Precision(_Averaged):
    """Share of the decisions for a class that are right: precision = right / predicted, 0 to 1.

    A class that is never predicted has the precision 0. What an output stands for is as in `accuracy`.

    Shape:
        output: (N, C) or (N, C, d1, ..., dK), the classes in dimension 1. target: class indices, the
        output's shape without C. Or output: (N,) or (N, 1). target: 0 or 1, (N,) or (N, 1).

    Parameters:
        ignore_index: a target that does not count.
        threshold: the probability above which one number stands for class 1.
        from_logits: whether one number is a logit, not a probability; left out: a probability where Sigmoid or
            Softmax makes it or BCELoss reads it, else a logit.
        average: binary is class 1 alone; macro the mean over the classes that are predicted or there; weighted
            the mean weighed by how often each is there; micro all decisions together. Left out: binary where the
            output is one number, else macro.

    Raises:
        ShapeError: outputs and targets don't fit, or binary is asked of more than two classes.
        DataError: a target is no class.

    Reference: https://scikit-learn.org/stable/modules/generated/sklearn.metrics.precision_score.html
    """

    higher_is_better = True

    type: Literal["precision"] = "precision"

    def base(self, predicted: Array, actual: Array) -> Array:
        """The decisions for a class."""
        return predicted


@metrics.register
@final
class Recall(_Averaged):
    """Share of the targets of a class that are recognised: recall = right / actual, 0 to 1.

    A class that is no target has the recall 0. What an output stands for is as in `accuracy`.

    Shape:
        output: (N, C) or (N, C, d1, ..., dK), the classes in dimension 1. target: class indices, the
        output's shape without C. Or output: (N,) or (N, 1). target: 0 or 1, (N,) or (N, 1).

    Parameters:
        ignore_index: a target that does not count.
        threshold: the probability above which one number stands for class 1.
        from_logits: whether one number is a logit, not a probability; left out: a probability where Sigmoid or
            Softmax makes it or BCELoss reads it, else a logit.
        average: binary is class 1 alone; macro the mean over the classes that are predicted or there; weighted
            the mean weighed by how often each is there; micro all decisions together. Left out: binary where the
            output is one number, else macro.

    Raises:
        ShapeError: outputs and targets don't fit, or binary is asked of more than two classes.
        DataError: a target is no class.

    Reference: https://scikit-learn.org/stable/modules/generated/sklearn.metrics.recall_score.html
    """

    higher_is_better = True

    type: Literal["recall"] = "recall"

    def base(self, predicted: Array, actual: Array) -> Array:
        """The targets of a class."""
        return actual


@metrics.register
@final
class F1(_Averaged):
    """Harmonic mean of precision and recall: f1 = 2 * right / (predicted + actual), 0 to 1.

    macro is the mean of the classes' f1. What an output stands for is as in `accuracy`.

    Shape:
        output: (N, C) or (N, C, d1, ..., dK), the classes in dimension 1. target: class indices, the
        output's shape without C. Or output: (N,) or (N, 1). target: 0 or 1, (N,) or (N, 1).

    Parameters:
        ignore_index: a target that does not count.
        threshold: the probability above which one number stands for class 1.
        from_logits: whether one number is a logit, not a probability; left out: a probability where Sigmoid or
            Softmax makes it or BCELoss reads it, else a logit.
        average: binary is class 1 alone, 0 where it is neither predicted nor there; macro the mean over the
            classes that are predicted or there; weighted the mean weighed by how often each is there; micro all
            decisions together. Left out: binary where the output is one number, else macro.

    Raises:
        ShapeError: outputs and targets don't fit, or binary is asked of more than two classes.
        DataError: a target is no class.

    Reference: https://scikit-learn.org/stable/modules/generated/sklearn.metrics.f1_score.html
    """

    higher_is_better = True

    type: Literal["f1"] = "f1"

    def base(self, predicted: Array, actual: Array) -> Array:
        """The mean of both."""
        return (predicted + actual) / 2
