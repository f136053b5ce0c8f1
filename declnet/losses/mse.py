"""MSELoss."""

from __future__ import annotations

from typing import Literal, final

import numpy as np

from declnet.core.numerics import shared
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

    def lose(self, difference: Array, each: Array, *work: Array) -> None:
        """The square."""
        np.multiply(difference, difference, out=each)

    def bend(self, slope: Array, work: Array) -> None:
        """Twice the difference."""
        np.multiply(slope, shared(slope.dtype, 2)[0], out=slope)
