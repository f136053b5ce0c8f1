"""MSELoss."""

from __future__ import annotations

from typing import Literal, final

import numpy as np

from declnet.core.component import Site, Step
from declnet.core.registry import losses
from declnet.core.spec import Array
from declnet.losses.difference import DifferenceLoss


@losses.register
@final
class MSELoss(DifferenceLoss):
    """Squared error: loss = mean((input - target)²), or the sum, or each.

    Shape:
        input: (*), any shape. target: the same shape; one of them floats, the other of any kind of number.
        output: (), or (*) where reduction is none. Its unit is the square of the target's.

    Parameters:
        reduction: mean, sum or none.

    Raises:
        ShapeError: input and target differ in shape (PyTorch warns and broadcasts, which is hardly ever
            meant), or neither is floating point.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.MSELoss.html
    """

    pytorch = "torch.nn.MSELoss"

    type: Literal["MSELoss"] = "MSELoss"

    def curve(self, difference: Array, each: Array, site: Site) -> Step:
        """The square; its slope is twice the difference."""
        two = np.array(2, difference.dtype)

        def forward() -> None:
            np.multiply(difference, difference, out=each)

        def backward() -> None:
            np.multiply(difference, two, out=difference)

        return Step(forward, backward)
