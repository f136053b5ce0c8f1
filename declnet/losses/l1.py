"""L1Loss."""

from __future__ import annotations

from typing import Literal, final

import numpy as np

from declnet.core.registry import losses
from declnet.core.spec import Array, Kind
from declnet.losses.difference import DifferenceLoss, sign


@losses.register
@final
class L1Loss(DifferenceLoss):
    """Absolute error: loss = mean(|input - target|), or the sum, or each. The gradient at 0 is 0.

    Shape:
        input: (*), any shape, floats or integers. target: the same shape, floats or integers. output: (), or (*)
        where reduction is none; integers where both hold such. Its unit is the target's.

    Parameters:
        reduction: mean, sum or none.

    Raises:
        ShapeError: input and target differ in shape (PyTorch warns and broadcasts, which is hardly ever
            meant), one of them is boolean, or both hold integers, which have no mean.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.L1Loss.html
    """

    pytorch = "torch.nn.L1Loss"

    type: Literal["L1Loss"] = "L1Loss"

    def kinds(self) -> tuple[Kind, ...]:
        """PyTorch's difference is not defined for booleans."""
        return ("float", "int")

    def lose(self, difference: Array, each: Array, *work: Array) -> None:
        """The magnitude."""
        np.absolute(difference, out=each)

    def bend(self, slope: Array, work: Array) -> None:
        """The sign."""
        sign(slope, work)
