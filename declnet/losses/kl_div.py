"""KLDivLoss."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, final

import numpy as np

from declnet.core.component import Action
from declnet.core.numerics import filled, shared
from declnet.core.registry import losses
from declnet.core.spec import Array, Spec
from declnet.losses.broadcasting import common_shape
from declnet.losses.elements import Arrays, ElementLoss
from declnet.losses.reduction import DEPRECATED, Slope, reduced


@losses.register
@final
class KLDivLoss(ElementLoss):
    """Kullback-Leibler divergence of log-probabilities from a target: loss = target * (log(target) - input).

    With log_target it is exp(target) * (target - input). The divergence itself is the sum over the classes and
    the mean over the rows: that is batchmean, which PyTorch recommends over mean, the default.

    Shape:
        input: (*), any shape: log-probabilities. target: the same, or a shape that fits it (sizes are equal, or one
        of them is 1 or missing, and repeats): probabilities, or their logarithms where log_target. output: (), or
        the common shape where reduction is none. The loss is in nats.

    Parameters:
        reduction: mean (over all elements), batchmean (the sum divided by the size of the input's dimension 0),
            sum or none.
        log_target: whether the target holds logarithms too, which is more exact for tiny probabilities.

    Raises:
        ShapeError: the shapes of input and target do not fit, or one of them is not floating point.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.KLDivLoss.html;
        Kullback, Leibler, "On Information and Sufficiency", 1951.
    """

    pytorch = "torch.nn.KLDivLoss"
    refused: ClassVar[dict[str, str]] = DEPRECATED
    works: ClassVar[int] = 1
    passes: ClassVar[int] = 25

    type: Literal["KLDivLoss"] = "KLDivLoss"
    reduction: Literal["mean", "batchmean", "sum", "none"] = "mean"
    log_target: bool = False

    def infer(self, input: Spec, target: Spec) -> Spec:
        """Two whose shapes fit."""
        self.require_float(input, target)
        return reduced(self.reduction, common_shape(self, input, target))

    def flops(self, input: Spec, target: Spec) -> int:
        """Logarithm or exponential, difference, product, sum: four for each element."""
        return 4 * math.prod(common_shape(self, input, target))

    def elements(self, inputs: Arrays, each: Array, work: Arrays) -> Action:
        """The formula; 0 * log(0) is 0."""
        x, target = inputs
        rest = work[0]
        lowest = filled(x.dtype, x.size, float(np.finfo(x.dtype).min)).reshape(x.shape)

        def of_probabilities() -> None:
            np.log(target, out=each)
            np.maximum(each, lowest, out=each)  # no infinity, whose product with 0 would be NaN
            np.multiply(each, target, out=each)
            np.multiply(target, x, out=rest)
            np.subtract(each, rest, out=each)

        def of_logarithms() -> None:
            np.exp(target, out=rest)
            np.subtract(target, x, out=each)
            np.multiply(each, rest, out=each)

        return of_logarithms if self.log_target else of_probabilities

    def slopes(self, inputs: Arrays, work: Arrays) -> tuple[Slope, ...]:
        """-target, and log(target) + 1 - input, which is NaN where the target is 0; of logarithms -exp(target), and
        exp(target) * (target - input + 1).
        """
        x, target = inputs
        rest, one = work[0], shared(x.dtype, 1)[0]

        def of_input(slope: Array) -> None:
            np.negative(np.exp(target, out=slope) if self.log_target else target, out=slope)

        def of_probabilities(slope: Array) -> None:
            np.divide(target, target, out=slope)
            np.log(target, out=rest)
            np.add(slope, rest, out=slope)
            np.subtract(slope, x, out=slope)

        def of_logarithms(slope: Array) -> None:
            np.exp(target, out=rest)
            np.subtract(target, x, out=slope)
            np.add(slope, one, out=slope)
            np.multiply(slope, rest, out=slope)

        return of_input, of_logarithms if self.log_target else of_probabilities
