"""BCELoss."""

from __future__ import annotations

from typing import ClassVar, Literal, final

import numpy as np

from declnet.core.component import Loss, Scratch, Site, Step
from declnet.core.registry import losses
from declnet.core.spec import Array, Spec
from declnet.errors import RowError
from declnet.losses.reduction import (
    DEPRECATED,
    Reduction,
    each_scratch,
    reduced,
    require_same_shape,
)
from declnet.losses.weights import WeightedReducer, Weights, require_fit

FLOOR = -100
"""The least a logarithm is taken to be, so that a certain but wrong input costs a finite loss."""
LEAST = 1e-12
"""The least that a slope is divided by: in PyTorch a float32, also where it computes in float64."""


@losses.register
@final
class BCELoss(Loss):
    """Binary cross entropy of probabilities: loss = -w * (target * log(input) + (1 - target) * log(1 - input)).

    Logarithms are taken to be at least -100, and the slope in the input is (input - target) / (input *
    (1 - input)) with a divisor of at least 1e-12. An input outside of 0 to 1 gives NaN, which ends the run.
    BCEWithLogitsLoss takes logits, and is more exact than a sigmoid with this loss.

    Shape:
        input: (*), any shape: probabilities. target: the same, each 0 to 1. output: (), or (*) where reduction
        is none. The loss is in nats.

    Parameters:
        weight: a weight for each element: one number, or lists of them that broadcast to the input's shape.
        reduction: mean, sum or none; `mean` divides by the number of elements whatever their weights.

    Raises:
        ShapeError: input and target differ in shape, one of them is not floating point, or weight does not fit.
        DataError: a target is not from 0 to 1.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.BCELoss.html
    """

    pytorch = "torch.nn.BCELoss"
    refused: ClassVar[dict[str, str]] = DEPRECATED
    saves: ClassVar[tuple[str, ...]] = ("input", "target")

    type: Literal["BCELoss"] = "BCELoss"
    weight: Weights | None = None
    reduction: Reduction = "mean"

    def infer(self, input: Spec, target: Spec) -> Spec:
        """Two of one shape, and weights that fit."""
        self.require_float(input, target)
        require_same_shape(self, input, target)
        require_fit("weight", self.weight, input)
        return reduced(self.reduction, input.shape)

    def check_target(self, input: Spec, target: Array) -> None:
        """Refuse what is no probability, NaN included; `target` holds rows first."""
        wrong = ~((target >= 0) & (target <= 1))
        if wrong.any():
            row = int(np.argwhere(wrong)[0][0])
            raise RowError(f"BCELoss takes targets from 0 to 1, not {target[wrong][0]:g}", row)

    def flops(self, input: Spec, target: Spec) -> int:
        """Two logarithms, their limits, two complements, two products and a difference, sum: ten an element."""
        return 10 * input.size

    def scratch(self, input: Spec, target: Spec, *, training: bool) -> dict[str, Scratch]:
        """Room for what is taken for each element."""
        names = {name: Scratch(input.shape) for name in ("log", "rest")}
        return names | each_scratch(self.reduction, input.shape)

    def bind(self, site: Site) -> Step:
        """Two logarithms, weighed by the target; backward: (input - target) / (input * (1 - input))."""
        x, target = site.inputs
        log, rest = site.scratch["log"], site.scratch["rest"]
        reducer = WeightedReducer(self.reduction, site, self.weight)
        each = reducer.each
        one, floor, least = (np.array(number, x.dtype) for number in (1, FLOOR, np.float32(LEAST)))

        def forward() -> None:
            np.negative(x, out=log)
            np.log1p(log, out=log)
            np.maximum(log, floor, out=log)
            np.subtract(target, one, out=rest)
            np.multiply(rest, log, out=each)
            np.log(x, out=log)
            np.maximum(log, floor, out=log)
            np.multiply(log, target, out=log)
            np.subtract(each, log, out=each)
            reducer.forward()

        def slope_of_input(slope: Array) -> None:
            np.subtract(one, x, out=rest)
            np.multiply(rest, x, out=rest)
            np.maximum(rest, least, out=rest)
            np.subtract(x, target, out=slope)
            np.divide(slope, rest, out=slope)

        def slope_of_target(slope: Array) -> None:
            np.negative(x, out=rest)
            np.log1p(rest, out=rest)
            np.log(x, out=log)
            np.subtract(rest, log, out=slope)

        return reducer.step(site, forward, slope_of_input, slope_of_target)
