"""R², the coefficient of determination."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, final

import numpy as np

from declnet.core.metric import Meter, Metric
from declnet.core.registry import metrics
from declnet.core.spec import Array, Spec
from declnet.metrics.differences import check_alike


class _Variance(Meter):
    """For each column the squares of the differences, and of the targets' distances from their mean."""

    def __init__(self, columns: int) -> None:
        self.rows = 0
        self.first: Array | None = None
        self.residual, self.mean, self.total = np.zeros((3, columns))

    def update(self, output: Array, target: Array) -> None:
        """Add a batch; squares around two means are joined around the mean of all, which loses no digits."""
        rows = len(target)
        wanted = target.reshape(rows, -1).astype(np.float64)
        self.residual += np.square(output.reshape(rows, -1) - wanted).sum(axis=0)
        # Counted from the first row on, a target that never changes is exactly 0.
        self.first = wanted[0].copy() if self.first is None else self.first
        wanted -= self.first
        mean = wanted.mean(axis=0)
        apart, all_rows = mean - self.mean, self.rows + rows
        self.total += np.square(wanted - mean).sum(axis=0) + np.square(apart) * (self.rows * rows / all_rows)
        self.mean += apart * (rows / all_rows)
        self.rows = all_rows

    def result(self) -> float:
        """The mean of the columns' figures."""
        if self.rows < 2:
            return math.nan
        constant = self.total == 0
        each = np.where(constant, self.residual == 0, 1 - self.residual / np.where(constant, 1, self.total))
        return float(each.mean())


@metrics.register
@final
class R2(Metric):
    """Explained share of the targets' variance: r2 = 1 - sum((target - output)²) / sum((target - mean)²).

    1 at best, 0 for the targets' mean as every output, and below 0 for worse. Of several columns, the mean of
    theirs. A column of equal targets has 1 where all outputs are right, else 0. Of a single row it is undefined.

    Shape:
        output: (N, ...), the columns in all dimensions but the first. target: the same shape.

    Parameters:
        none.

    Raises:
        ShapeError: the shapes differ.

    Reference: https://scikit-learn.org/stable/modules/generated/sklearn.metrics.r2_score.html
    """

    higher_is_better = True
    in_units: ClassVar[bool] = True

    type: Literal["r2"] = "r2"

    def check(self, output: Spec, target: Spec) -> None:
        """The same shape."""
        check_alike(self, output, target)

    def meter(self, output: Spec, target: Spec, *, probabilities: bool) -> Meter:
        """Add squares."""
        return _Variance(math.prod(target.shape[1:]))
