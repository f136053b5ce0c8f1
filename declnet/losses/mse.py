"""MSELoss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, final

import numpy as np

from declnet.core.component import Action
from declnet.core.numerics import Pair, fold
from declnet.core.registry import losses
from declnet.core.spec import Array
from declnet.losses.difference import DifferenceLoss
from declnet.losses.elements import Arrays


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

    steepness: ClassVar[int] = 2

    type: Literal["MSELoss"] = "MSELoss"

    def lose(self, difference: Array, each: Array, *work: Array) -> None:
        """The square."""
        np.multiply(difference, difference, out=each)

    def products(self, inputs: Arrays, each: Array, work: Arrays) -> tuple[Action, Sequence[Pair]]:
        """The difference, by itself."""
        flat = each.reshape(-1)
        return fold(np.subtract, inputs, each), [(flat, flat, 1)]

    def bend(self, slope: Array, work: Array) -> None:
        """Half the slope is the difference."""
