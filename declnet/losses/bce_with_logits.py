"""BCEWithLogitsLoss."""

from __future__ import annotations

from typing import ClassVar, Literal, Self, final

import numpy as np

from declnet.core.component import Loss, Scratch, Site, Step
from declnet.core.registry import losses
from declnet.core.spec import Array, Spec
from declnet.errors import DataError
from declnet.losses.reduction import (
    DEPRECATED,
    Reduction,
    Slope,
    each_scratch,
    reduced,
    require_same_shape,
)
from declnet.losses.weights import WeightedReducer, Weights, require_fit


@losses.register
@final
class BCEWithLogitsLoss(Loss):
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
    saves: ClassVar[tuple[str, ...]] = ("input", "target")

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

    def scratch(self, input: Spec, target: Spec, *, training: bool) -> dict[str, Scratch]:
        """Room for what is taken for each element."""
        names = {name: Scratch(input.shape) for name in ("log", "rest")}
        return names | each_scratch(self.reduction, input.shape)

    def bind(self, site: Site) -> Step:
        """The formula; its parts are in `scratch`."""
        x, target = site.inputs
        log, rest = site.scratch["log"], site.scratch["rest"]
        reducer = WeightedReducer(self.reduction, site, self.weight)
        each, one = reducer.each, np.array(1, x.dtype)
        extra = None if self.pos_weight is None else np.array(self.pos_weight, x.dtype) - one

        def forward() -> None:
            _tail(x, log)
            np.minimum(x, 0, out=rest)
            np.subtract(rest, log, out=log)  # log_sigmoid(x)
            if extra is not None:
                np.multiply(target, extra, out=rest)
                np.add(rest, one, out=rest)
                np.multiply(log, rest, out=log)
            np.subtract(one, target, out=each)
            np.multiply(each, x, out=each)
            np.subtract(each, log, out=each)
            reducer.forward()

        slopes = (
            self._plain_slopes(site) if self.pos_weight is None else self._weighted_slopes(site, self.pos_weight)
        )
        return reducer.step(site, forward, *slopes)

    def _plain_slopes(self, site: Site) -> tuple[Slope, Slope]:
        """Without pos_weight: sigmoid(input) - t, and -input."""
        x, target = site.inputs

        def of_input(slope: Array) -> None:
            _sigmoid(x, slope)
            np.subtract(slope, target, out=slope)

        def of_target(slope: Array) -> None:
            np.negative(x, out=slope)

        return of_input, of_target

    def _weighted_slopes(self, site: Site, pos_weight: Weights) -> tuple[Slope, Slope]:
        """(1 + (w - 1) * t) * sigmoid(x) - w * t, and log_sigmoid(-x) - w * log_sigmoid(x); w is pos_weight."""
        x, target = site.inputs
        log, rest = site.scratch["log"], site.scratch["rest"]
        weight, one = np.array(pos_weight, x.dtype), np.array(1, x.dtype)

        def of_input(slope: Array) -> None:
            _sigmoid(x, log)
            np.multiply(target, weight, out=rest)
            np.subtract(rest, target, out=slope)
            np.add(slope, one, out=slope)
            np.multiply(slope, log, out=slope)
            np.subtract(slope, rest, out=slope)

        def of_target(slope: Array) -> None:
            _tail(x, log)
            np.maximum(x, 0, out=slope)
            np.add(slope, log, out=slope)  # -log_sigmoid(-x)
            np.minimum(x, 0, out=rest)
            np.subtract(rest, log, out=log)
            np.multiply(log, weight, out=log)
            np.add(slope, log, out=slope)
            np.negative(slope, out=slope)

        return of_input, of_target


def _tail(x: Array, out: Array) -> None:
    """log(1 + exp(-|x|)), at most log(2)."""
    np.absolute(x, out=out)
    np.negative(out, out=out)
    np.exp(out, out=out)
    np.log1p(out, out=out)


def _sigmoid(x: Array, out: Array) -> None:
    """1 / (1 + exp(-x)); where the exponential is infinite, that is 0."""
    np.negative(x, out=out)
    np.exp(out, out=out)
    np.add(out, 1, out=out)
    np.reciprocal(out, out=out)
