"""MSELoss."""

from __future__ import annotations

from typing import ClassVar, Literal, final

import numpy as np

from declnet.core.component import Loss, Scratch, Site, Step
from declnet.core.registry import losses
from declnet.core.spec import Spec
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
class MSELoss(Loss):
    """Squared error: loss = mean((input - target)²), or the sum, or each.

    Shape:
        input: (*), any shape. target: the same. output: (), or (*) where reduction is none. Its unit is the
        square of the target's.

    Parameters:
        reduction: mean, sum or none.

    Raises:
        ShapeError: input and target differ in shape (PyTorch warns and broadcasts, which is hardly ever
            meant), or one of them is not floating point.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.MSELoss.html
    """

    pytorch = "torch.nn.MSELoss"
    refused: ClassVar[dict[str, str]] = DEPRECATED

    type: Literal["MSELoss"] = "MSELoss"
    reduction: Reduction = "mean"

    def infer(self, input: Spec, target: Spec) -> Spec:
        """Two of one shape."""
        require_same_shape(self, input, target)
        return reduced(self.reduction, input.shape)

    def flops(self, input: Spec, target: Spec) -> int:
        """Difference, square, sum: three for each element."""
        return 3 * input.size

    def scratch(self, input: Spec, target: Spec, *, training: bool) -> dict[str, Scratch]:
        """The differences, which backward reads, and their squares."""
        return {"difference": Scratch(input.shape, saved=training)} | each_scratch(self.reduction, input.shape)

    def bind(self, site: Site) -> Step:
        """Reduce the squares; backward: 2 * difference * factor."""
        x, target = site.inputs
        difference = site.scratch["difference"]
        reducer = Reducer(self.reduction, site, x.shape, np.array(x.size, x.dtype))

        def forward() -> None:
            np.subtract(x, target, out=difference)
            np.multiply(difference, difference, out=reducer.each)
            reducer.forward()

        if site.grad_output is None:
            return Step(forward)
        grad_x, grad_target = site.grad_inputs
        two = np.array(2, x.dtype)

        def backward() -> None:
            reducer.backward()
            np.multiply(difference, two, out=difference)
            np.multiply(difference, reducer.factor, out=difference)
            if grad_x is not None:
                np.copyto(grad_x, difference)
            if grad_target is not None:
                np.negative(difference, out=grad_target)

        return Step(forward, backward)
