"""Accuracy."""

from __future__ import annotations

from typing import Literal, final

import numpy as np

from declnet.core.metric import Meter, Metric
from declnet.core.registry import metrics
from declnet.core.spec import Array, Spec
from declnet.errors import ShapeError
from declnet.losses.class_targets import index_shape


class _Count(Meter):
    """Right answers out of all."""

    def __init__(self) -> None:
        self.right = self.all = 0

    def update(self, output: Array, target: Array) -> None:
        """Compare the largest output of each row with its class."""
        self.right += int(np.count_nonzero(output.argmax(axis=1) == target))
        self.all += target.size

    def result(self) -> float:
        """The share of right answers."""
        return self.right / self.all


@metrics.register
@final
class Accuracy(Metric):
    """Share of rows whose largest output is that of their class: accuracy = right / all, 0 to 1.

    Of several equal largest outputs the first counts, as in torch.argmax.

    Shape:
        output: (N, C) or (N, C, d1, ..., dK), the classes in dimension 1. target: class indices, the
        output's shape without C.

    Parameters:
        none.

    Raises:
        ShapeError: the target does not hold class indices in the output's shape without C.

    Reference: https://scikit-learn.org/stable/modules/generated/sklearn.metrics.accuracy_score.html
    """

    higher_is_better = True

    type: Literal["accuracy"] = "accuracy"

    def check(self, output: Spec, target: Spec) -> None:
        """Class scores against class indices."""
        if output.ndim < 2 or target.kind != "int" or target.shape != index_shape(output.shape):
            raise ShapeError(
                f"accuracy compares outputs (N, C) with class indices (N,), but the output is {output} "
                f"and the target {target}"
            )

    def meter(self) -> Meter:
        """Count right answers."""
        return _Count()
