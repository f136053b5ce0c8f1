"""BCEWithLogitsLoss."""

from __future__ import annotations

from typing import ClassVar, Literal, Self, final

import numpy as np

from declnet.core.component import Action
from declnet.core.numerics import filled, shared
from declnet.core.registry import losses
from declnet.core.spec import Array, Spec
from declnet.errors import DataError
from declnet.losses.elements import Arrays, DType, ElementLoss
from declnet.losses.log1p import log1p
from declnet.losses.reduction import DEPRECATED, Reduction, Slope, reduced, require_same_shape
from declnet.losses.weights import Weights, require_fit, weigh


@losses.register
@final
class BCEWithLogitsLoss(ElementLoss):
    """Binary cross entropy of logits: loss = w * ((1 - t) * x - (1 + (pos_weight - 1) * t) * log_sigmoid(x)).

    It is BCELoss of the input's sigmoid; x is the input, t the target. Nothing overflows: log_sigmoid(x) =
    min(x, 0) - log(1 + exp(-|x|)).

    Shape:
        input: (*), any shape: logits. target: the same, as a rule 0 to 1. output: (), or (*) where reduction is
        none. The loss is in nats.

    Parameters:
        weight: a weight for each element: one number, or lists of them that broadcast to the input's shape.
        reduction: mean, sum or none; `mean` divides by the number of elements whatever their weights.
        pos_weight: a weight for the part of each element that the target claims, in the same form: above 1 it
            favours recall, below 1 precision.

    Raises:
        ShapeError: input and target differ in shape, one of them is not floating point, or weight or
            pos_weight does not fit.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.BCEWithLogitsLoss.html
    """

    pytorch = "torch.nn.BCEWithLogitsLoss"
    refused: ClassVar[dict[str, str]] = DEPRECATED
    balances: ClassVar[str] = "pos_weight"
    works: ClassVar[int] = 2
    passes: ClassVar[int] = 50

    type: Literal["BCEWithLogitsLoss"] = "BCEWithLogitsLoss"
    weight: Weights | None = None
    reduction: Reduction = "mean"
    pos_weight: Weights | None = None

    def infer(self, input: Spec, target: Spec) -> Spec:
        """Two of one shape, and weights that fit."""
        self.require_float(input, target)
        require_same_shape(self, input, target)
        require_fit("weight", self.weight, input)
        require_fit("pos_weight", self.pos_weight, input)
        return reduced(self.reduction, input.shape)

    def count_classes(self, input: Spec, target: Array) -> Array:
        """How much of the targets is negative, and how much positive: in each column, where a row is a vector."""
        axis = 0 if target.ndim == 2 else None
        positive = target.sum(axis=axis, dtype=np.float64)
        return np.stack([target.size / positive.size - positive, positive])

    def balanced(self, counts: Array) -> Self:
        """With pos_weight: negatives / positives."""
        for name, count in zip(("negative", "positive"), counts, strict=True):
            if (count == 0).any():
                columns = np.flatnonzero(count == 0).tolist() if count.ndim else []
                where = f" in column {columns[0]} of the target" if columns else ""
                raise DataError(f"no target is {name}{where}")
        ratio = counts[0] / counts[1]
        return self.model_copy(update={"pos_weight": tuple(ratio.tolist()) if ratio.ndim else float(ratio)})

    def flops(self, input: Spec, target: Spec) -> int:
        """Magnitude, exponential, logarithm, the rest of log_sigmoid, the target's part, sum: ten an element."""
        return 10 * input.size

    def weights(self, dtype: DType) -> Arrays:
        """The elements' weight, and that of their positive part."""
        return tuple(np.array(w, dtype) for w in (self.weight, self.pos_weight) if w is not None)

    def _split(self, inputs: Arrays) -> tuple[Array, Array, Arrays, Array | None]:
        """Input, target, weight if there is one, pos_weight."""
        x, target, *weights = inputs
        return x, target, weights[: self.weight is not None], None if self.pos_weight is None else weights[-1]

    def elements(self, inputs: Arrays, each: Array, work: Arrays) -> Action:
        """The formula."""
        x, target, weights, pos_weight = self._split(inputs)
        log, rest = work
        one, zeros = shared(x.dtype, 1)[0], filled(x.dtype, x.size, 0).reshape(x.shape)
        extra = None if pos_weight is None else pos_weight - one

        def lose() -> None:
            _tail(x, log, each, rest)
            np.minimum(x, zeros, out=rest)
            np.subtract(rest, log, out=log)  # log_sigmoid(x)
            if extra is not None:
                np.multiply(target, extra, out=rest)
                np.add(rest, one, out=rest)
                np.multiply(log, rest, out=log)
            np.subtract(one, target, out=each)
            np.multiply(each, x, out=each)
            np.subtract(each, log, out=each)
            weigh(each, weights)

        return lose

    def slopes(self, inputs: Arrays, work: Arrays) -> tuple[Slope, ...]:
        """Without pos_weight sigmoid(input) - t and -input."""
        x, target, weights, pos_weight = self._split(inputs)
        if pos_weight is not None:
            return self._weighted_slopes(inputs, pos_weight, work)

        def of_input(slope: Array) -> None:
            _sigmoid(x, slope)
            np.subtract(slope, target, out=slope)
            weigh(slope, weights)

        def of_target(slope: Array) -> None:
            np.negative(x, out=slope)
            weigh(slope, weights)

        return of_input, of_target

    def _weighted_slopes(self, inputs: Arrays, weight: Array, work: Arrays) -> tuple[Slope, ...]:
        """(1 + (w - 1) * t) * sigmoid(x) - w * t, and log_sigmoid(-x) - w * log_sigmoid(x); w is pos_weight."""
        x, target, weights, _ = self._split(inputs)
        log, rest = work[:2]
        one, zeros = shared(x.dtype, 1)[0], filled(x.dtype, x.size, 0).reshape(x.shape)

        def of_input(slope: Array) -> None:
            _sigmoid(x, log)
            np.multiply(target, weight, out=rest)
            np.subtract(rest, target, out=slope)
            np.add(slope, one, out=slope)
            np.multiply(slope, log, out=slope)
            np.subtract(slope, rest, out=slope)
            weigh(slope, weights)

        def of_target(slope: Array) -> None:
            _tail(x, log, slope, rest)
            np.maximum(x, zeros, out=slope)
            np.add(slope, log, out=slope)  # -log_sigmoid(-x)
            np.minimum(x, zeros, out=rest)
            np.subtract(rest, log, out=log)
            np.multiply(log, weight, out=log)
            np.add(slope, log, out=slope)
            np.negative(slope, out=slope)
            weigh(slope, weights)

        return of_input, of_target


def _tail(x: Array, out: Array, power: Array, work: Array) -> None:
    """out = log(1 + exp(-|x|)), at most log(2)."""
    np.absolute(x, out=power)
    np.negative(power, out=power)
    np.exp(power, out=power)
    log1p(power, out, work)


def _sigmoid(x: Array, out: Array) -> None:
    """1 / (1 + exp(-x)); where the exponential is infinite, that is 0."""
    one = shared(x.dtype, 1)[0]
    np.negative(x, out=out)
    np.exp(out, out=out)
    np.add(out, one, out=out)
    np.divide(one, out, out=out)
