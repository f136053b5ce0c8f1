"""KLDivLoss."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, final

import numpy as np

from declnet.core.component import Loss, Scratch, Site, Step
from declnet.core.registry import losses
from declnet.core.spec import Array, Spec
from declnet.losses.broadcasting import common_shape, gradient_scratch, repeating, then
from declnet.losses.reduction import DEPRECATED, Reducer, each_scratch, reduced


@losses.register
@final
class KLDivLoss(Loss):
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
    saves: ClassVar[tuple[str, ...]] = ("input", "target")

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

    def scratch(self, input: Spec, target: Spec, *, training: bool) -> dict[str, Scratch]:
        """Room for what is taken of the targets, and where these are 0."""
        shape = common_shape(self, input, target)
        names = {"work": Scratch(shape)} | gradient_scratch(shape, input, target, training=training)
        if not self.log_target:
            names["zeros"] = Scratch(shape, "bool")
        return names | each_scratch(self.reduction, shape)

    def bind(self, site: Site) -> Step:
        """The formula; 0 * log(0) is 0."""
        x, shape = site.inputs[0], site.scratch["work"].shape
        if self.reduction == "batchmean":
            reducer = Reducer("mean", site, shape, np.array(x.shape[0] if x.ndim else 1, x.dtype))
        else:
            reducer = Reducer(self.reduction, site, shape, np.array(math.prod(shape), x.dtype))
        site, add_up = repeating(site, shape)
        return then((self._logarithms if self.log_target else self._probabilities)(site, reducer), add_up)

    def _probabilities(self, site: Site, reducer: Reducer) -> Step:
        """Slopes: -target, and log(target) + 1 - input, which is NaN where the target is 0."""
        x, target = site.inputs
        work, zeros, each = site.scratch["work"], site.scratch["zeros"], reducer.each
        zero = np.array(0, x.dtype)

        def forward() -> None:
            np.log(target, out=each)
            np.multiply(each, target, out=each)
            np.equal(target, zero, out=zeros)
            np.copyto(each, zero, where=zeros)
            np.multiply(target, x, out=work)
            np.subtract(each, work, out=each)
            reducer.forward()

        def of_input(slope: Array) -> None:
            np.negative(target, out=slope)

        def of_target(slope: Array) -> None:
            np.divide(target, target, out=slope)
            np.log(target, out=work)
            np.add(slope, work, out=slope)
            np.subtract(slope, x, out=slope)

        return reducer.step(site, forward, of_input, of_target)

    def _logarithms(self, site: Site, reducer: Reducer) -> Step:
        """Slopes: -exp(target), and exp(target) * (target - input + 1)."""
        x, target = site.inputs
        work, each, one = site.scratch["work"], reducer.each, np.array(1, x.dtype)

        def forward() -> None:
            np.exp(target, out=work)
            np.subtract(target, x, out=each)
            np.multiply(each, work, out=each)
            reducer.forward()

        def of_input(slope: Array) -> None:
            np.exp(target, out=slope)
            np.negative(slope, out=slope)

        def of_target(slope: Array) -> None:
            np.exp(target, out=work)
            np.subtract(target, x, out=slope)
            np.add(slope, one, out=slope)
            np.multiply(slope, work, out=slope)

        return reducer.step(site, forward, of_input, of_target)
