"""MarginRankingLoss."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, final

import numpy as np

from declnet.core.component import Loss, Scratch, Site, Step
from declnet.core.numerics import fold
from declnet.core.registry import losses
from declnet.core.spec import Array, Spec, promoted
from declnet.losses.broadcasting import common_shape, gradient_scratch, repeating, require_same_ndim, then
from declnet.losses.reduction import DEPRECATED, Reducer, Reduction, each_scratch, reduced


@losses.register
@final
class MarginRankingLoss(Loss):
    """What two scores lack of their order and a margin: loss = max(0, -target * (input1 - input2) + margin).

    A target of 1 says that input1 is to be the greater, -1 that input2 is. At the kink the slope is that of the
    line, as in PyTorch.

    Shape:
        input1, input2: (*), any shape. target: the same, as a rule 1 or -1. Each holds floats or integers, and has
        the others' sizes, or 1, which repeats. output: (), or the common shape where reduction is none. Its unit
        is the inputs'.

    Parameters:
        margin: by how much the one is to exceed the other; below 0 lets the order be missed by that much.
        reduction: mean, sum or none.

    Raises:
        ShapeError: the shapes of the three do not fit, they differ in their number of dimensions, or one of them is
            boolean.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.MarginRankingLoss.html
    """

    pytorch = "torch.nn.MarginRankingLoss"
    refused: ClassVar[dict[str, str]] = DEPRECATED

    type: Literal["MarginRankingLoss"] = "MarginRankingLoss"
    margin: float = 0.0
    reduction: Reduction = "mean"

    def infer(self, input1: Spec, input2: Spec, target: Spec) -> Spec:
        """Three with as many dimensions, whose shapes fit."""
        self.require_kinds(("float", "int"), input1, input2, target)
        require_same_ndim(self, input1, input2, target)
        return reduced(self.reduction, common_shape(self, input1, input2, target))

    def flops(self, input1: Spec, input2: Spec, target: Spec) -> int:
        """Two differences, product, maximum, sum: five for each element."""
        return 5 * math.prod(common_shape(self, input1, input2, target))

    def scratch(self, input1: Spec, input2: Spec, target: Spec, *, training: bool) -> dict[str, Scratch]:
        """What the slopes are made of: the differences, the order wanted, and whether the margin is missed."""
        shape = common_shape(self, input1, input2, target)
        difference, product = (
            promoted(spec.kind for spec in specs) for specs in ((input1, input2), (input1, input2, target))
        )
        names = {"difference": Scratch(shape, difference, saved=training)}
        names["order"] = Scratch(shape, target.kind, saved=training)
        names["product"] = Scratch(shape if product == "int" else (0,), product)
        names |= gradient_scratch(shape, input1, input2, target, training=training)
        if training:
            names["missed"] = Scratch(shape, "bool", saved=True)
        return names | each_scratch(self.reduction, shape)

    def bind(self, site: Site) -> Step:
        """The formula; slopes: -target, target and -(input1 - input2) where the margin is missed, else 0."""
        difference, order = site.scratch["difference"], site.scratch["order"]
        shape, dtype = difference.shape, site.output.dtype
        reducer = Reducer(self.reduction, site, shape, np.array(difference.size, dtype))
        each, margin, zero = reducer.each, np.array(self.margin, dtype), np.array(0, dtype)
        product = site.scratch["product"] if site.scratch["product"].dtype.kind == "i" else each
        site, add_up = repeating(site, shape)
        input1, input2, target = site.inputs
        subtract = fold(np.subtract, (input1, input2), difference)
        multiply = fold(np.multiply, (order, difference), product)
        lack = fold(np.subtract, (margin, product), each)
        missed = site.scratch.get("missed")

        def forward() -> None:
            np.copyto(order, target)
            subtract()
            multiply()
            lack()
            if missed is not None:
                np.greater_equal(each, zero, out=missed)
            np.maximum(each, zero, out=each)
            reducer.forward()

        if site.grad_output is None or missed is None:
            return Step(forward)

        def of_input1(slope: Array) -> None:
            np.multiply(order, missed, out=slope)
            np.negative(slope, out=slope)

        def of_input2(slope: Array) -> None:
            np.multiply(order, missed, out=slope)

        def of_target(slope: Array) -> None:
            np.multiply(difference, missed, out=slope)
            np.negative(slope, out=slope)

        return then(reducer.step(site, forward, of_input1, of_input2, of_target), add_up)
