"""MarginRankingLoss."""

from __future__ import annotations

from typing import ClassVar, Literal, final

import numpy as np

from declnet.core.component import Loss, Scratch, Site, Step
from declnet.core.registry import losses
from declnet.core.spec import Array, Spec
from declnet.losses.reduction import (
    DEPRECATED,
    Reducer,
    Reduction,
    each_scratch,
    reduced,
    require_same_shape,
)


@losses.register
@final
class MarginRankingLoss(Loss):
    """What two scores lack of their order and a margin: loss = max(0, -target * (input1 - input2) + margin).

    A target of 1 says that input1 is to be the greater, -1 that input2 is. At the kink the slope is that of the
    line, as in PyTorch.

    Shape:
        input1, input2: (*), any shape. target: the same, as a rule 1 or -1; integer too. output: (), or (*)
        where reduction is none. Its unit is the inputs'.

    Parameters:
        margin: by how much the one is to exceed the other; below 0 lets the order be missed by that much.
        reduction: mean, sum or none.

    Raises:
        ShapeError: the three differ in shape (PyTorch broadcasts, which is hardly ever meant), an input is not
            floating point, or the target is boolean.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.MarginRankingLoss.html
    """

    pytorch = "torch.nn.MarginRankingLoss"
    refused: ClassVar[dict[str, str]] = DEPRECATED

    type: Literal["MarginRankingLoss"] = "MarginRankingLoss"
    margin: float = 0.0
    reduction: Reduction = "mean"

    def infer(self, input1: Spec, input2: Spec, target: Spec) -> Spec:
        """Three of one shape."""
        require_same_shape(self, input1, input2, target, target_kinds=("float", "int"))
        return reduced(self.reduction, input1.shape)

    def flops(self, input1: Spec, input2: Spec, target: Spec) -> int:
        """Two differences, product, maximum, sum: five for each element."""
        return 5 * input1.size

    def scratch(self, input1: Spec, input2: Spec, target: Spec, *, training: bool) -> dict[str, Scratch]:
        """What the slopes are made of: the differences, the order wanted, and whether the margin is missed."""
        names = {name: Scratch(input1.shape, saved=training) for name in ("difference", "order")}
        if training:
            names["missed"] = Scratch(input1.shape, "bool", saved=True)
        return names | each_scratch(self.reduction, input1.shape)

    def bind(self, site: Site) -> Step:
        """The formula; slopes: -target, target and -(input1 - input2) where the margin is missed, else 0."""
        input1, input2, target = site.inputs
        difference, order = site.scratch["difference"], site.scratch["order"]
        reducer = Reducer(self.reduction, site, input1.shape, np.array(input1.size, input1.dtype))
        each, margin, zero = reducer.each, np.array(self.margin, input1.dtype), np.array(0, input1.dtype)
        missed = site.scratch.get("missed")

        def forward() -> None:
            np.copyto(order, target)
            np.subtract(input1, input2, out=difference)
            np.multiply(order, difference, out=each)
            np.subtract(margin, each, out=each)
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

        return reducer.step(site, forward, of_input1, of_input2, of_target)
