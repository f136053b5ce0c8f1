"""BCELoss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, final

import numpy as np

from declnet.core.component import Action
from declnet.core.numerics import Pair, filled, shared
from declnet.core.registry import losses
from declnet.core.spec import Array, Spec
from declnet.errors import RowError
from declnet.losses.elements import Arrays, DType, ElementLoss
from declnet.losses.log1p import log1p
from declnet.losses.reduction import DEPRECATED, Reduction, Slope, reduced, require_same_shape
from declnet.losses.weights import Weights, require_fit, weigh

FLOOR = -100
"""The least a logarithm is taken to be, so that a certain but wrong input costs a finite loss."""
LEAST = 1e-12
"""The least that a slope is divided by: in PyTorch a float32, also where it computes in float64."""


@losses.register
@final
class BCELoss(ElementLoss):
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
    works: ClassVar[int] = 2
    passes: ClassVar[int] = 50

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

    def weights(self, dtype: DType) -> Arrays:
        """The elements' weight."""
        return () if self.weight is None else (np.array(self.weight, dtype),)

    def elements(self, inputs: Arrays, each: Array, work: Arrays) -> Action:
        """Two logarithms, weighed by the target."""
        _, target, *weights = inputs
        rest, log = work
        find = self._logarithms(inputs, rest, log, each)

        def lose() -> None:
            find()
            np.multiply(rest, log, rest)
            np.multiply(each, target, each)
            np.subtract(rest, each, each)
            weigh(each, weights)

        return lose

    def products(self, inputs: Arrays, each: Array, work: Arrays) -> tuple[Action, Sequence[Pair]]:
        """Without weights the logarithms and what the target gives each: none of the products is negative."""
        if self.weight is not None:
            return super().products(inputs, each, work)
        target = inputs[1]
        rest, log = work
        return self._logarithms(inputs, rest, log, each), [
            (rest.reshape(-1), log.reshape(-1), 1),
            (each.reshape(-1), target.reshape(-1), -1),
        ]

    def _logarithms(self, inputs: Arrays, less: Array, of_rest: Array, of_input: Array) -> Action:
        """target - 1, log(1 - input) and log(input)."""
        x, target = inputs[:2]
        one, floor = shared(x.dtype, 1)[0], filled(x.dtype, x.size, FLOOR).reshape(x.shape)

        def find() -> None:
            np.negative(x, of_input)
            log1p(of_input, of_rest, less)
            np.maximum(of_rest, floor, out=of_rest)
            np.log(x, of_input)
            np.maximum(of_input, floor, out=of_input)
            np.subtract(target, one, less)

        return find

    def slopes(self, inputs: Arrays, work: Arrays) -> tuple[Slope, ...]:
        """(input - target) / (input * (1 - input)), and log(1 - input) - log(input)."""
        x, target, *weights = inputs
        log, rest = work[:2]
        one, least = shared(x.dtype, 1)[0], filled(x.dtype, x.size, float(np.float32(LEAST))).reshape(x.shape)

        def of_input(slope: Array) -> None:
            np.subtract(one, x, out=rest)
            np.multiply(rest, x, out=rest)
            np.maximum(rest, least, out=rest)
            np.subtract(x, target, out=slope)
            np.divide(slope, rest, out=slope)
            weigh(slope, weights)

        def of_target(slope: Array) -> None:
            np.negative(x, out=log)
            log1p(log, slope, rest)
            np.log(x, out=log)
            np.subtract(slope, log, out=slope)
            weigh(slope, weights)

        return of_input, of_target
