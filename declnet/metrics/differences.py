"""MAE and RMSE: the size of differences."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar, Literal, final

import numpy as np

from declnet.core.metric import Meter, Metric
from declnet.core.registry import metrics
from declnet.core.spec import Array, Spec
from declnet.errors import ShapeError
from declnet.metrics.class_scores import share


def check_alike(metric: Metric, output: Spec, target: Spec) -> None:
    """Refuse shapes that differ: (N, 1) against (N,) would be every row against every other."""
    if output.shape != target.shape:
        raise ShapeError(
            f"{metric.type} compares outputs with targets of the same shape, but the output is {output} and the "
            f"target {target}"
        )


class _Mean(Meter):
    """A mean over all elements, in float64."""

    def __init__(self, metric: _Difference) -> None:
        self.metric = metric
        self.total, self.all = 0.0, 0

    def update(self, output: Array, target: Array) -> None:
        """Add the differences of a batch."""
        self.total += self.metric.added(np.subtract(output, target, dtype=np.float64))
        self.all += target.size

    def result(self) -> float:
        """What the mean stands for."""
        return self.metric.of_mean(share(self.total, self.all))


class _Difference(Metric, ABC):
    """A mean over the differences of outputs and targets."""

    in_units: ClassVar[bool] = True

    @abstractmethod
    def added(self, differences: Array) -> float:
        """What a batch adds."""

    @abstractmethod
    def of_mean(self, mean: float) -> float:
        """The metric of the mean."""

    def check(self, output: Spec, target: Spec) -> None:
        """The same shape."""
        check_alike(self, output, target)

    def meter(self, output: Spec, target: Spec, *, probabilities: bool) -> Meter:
        """Add differences."""
        return _Mean(self)


@metrics.register
@final
class Mae(_Difference):
    """Mean absolute error over all elements: mae = mean(|output - target|), in units of the target.

    Shape:
        output: (N, ...). target: the same shape.

    Parameters:
        none.

    Raises:
        ShapeError: the shapes differ.

    Reference: https://scikit-learn.org/stable/modules/generated/sklearn.metrics.mean_absolute_error.html
    """

    higher_is_better = False

    type: Literal["mae"] = "mae"

    def added(self, differences: Array) -> float:
        """Their sizes."""
        return float(np.abs(differences).sum())

    def of_mean(self, mean: float) -> float:
        """The mean itself."""
        return mean


@metrics.register
@final
class Rmse(_Difference):
    """Root mean squared error over all elements: rmse = sqrt(mean((output - target)²)), in units of the target.

    Shape:
        output: (N, ...). target: the same shape.

    Parameters:
        none.

    Raises:
        ShapeError: the shapes differ.

    Reference: https://scikit-learn.org/stable/modules/generated/sklearn.metrics.root_mean_squared_error.html
    """

    higher_is_better = False

    type: Literal["rmse"] = "rmse"

    def added(self, differences: Array) -> float:
        """Their squares."""
        return float(np.square(differences).sum())

    def of_mean(self, mean: float) -> float:
        """Its root."""
        return math.sqrt(mean)
