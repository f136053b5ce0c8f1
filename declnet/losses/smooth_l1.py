"""SmoothL1Loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, final

import numpy as np
from pydantic import NonNegativeFloat

from declnet.core.component import Action
from declnet.core.numerics import Pair, shared
from declnet.core.registry import losses
from declnet.core.spec import Array, Kind, Spec
from declnet.losses.difference import DifferenceLoss, bent, bent_products, cut_off, mild, sign
from declnet.losses.elements import Arrays


@losses.register
@final
class SmoothL1Loss(DifferenceLoss):
    """Absolute error, rounded off: loss = d² / (2 * beta) where d = |input - target| < beta, else d - beta / 2.

    It is HuberLoss with delta = beta, divided by beta; with beta = 0 it is L1Loss.

    Shape:
        input: (*), any shape. target: the same shape; one of them floats, the other of any kind of number (if
        beta is 0, as in L1Loss). output: (), or (*) where reduction is none. Its unit is the target's.

    Parameters:
        reduction: mean, sum or none.
        beta: the difference at which the square turns into a line, 0 or more.

    Raises:
        ShapeError: input and target differ in shape (PyTorch warns and broadcasts, which is hardly ever
            meant), neither is floating point, or, where beta is 0, L1Loss does not take them.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.SmoothL1Loss.html;
        Girshick, "Fast R-CNN", 2015.
    """

    pytorch = "torch.nn.SmoothL1Loss"

    works: ClassVar[int] = 2
    passes: ClassVar[int] = 8

    type: Literal["SmoothL1Loss"] = "SmoothL1Loss"
    beta: NonNegativeFloat = 1.0

    def kinds(self) -> tuple[Kind, ...]:
        """Like PyTorch's; with beta = 0 that is L1Loss."""
        return ("float", "int", "bool") if self.beta else ("float", "int")

    def flops(self, input: Spec, target: Spec) -> int:
        """Difference, cut, its half, what is left, quotient, product, sum: seven for each element."""
        return 7 * input.size

    def lose(self, difference: Array, each: Array, *work: Array) -> None:
        """A parabola up to beta, then a line of slope 1; where beta is, or rounds to, nothing, the magnitude."""
        if shared(each.dtype, self.beta)[0]:
            bent(difference, each, *work, bend=self.beta, width=self.beta)
        else:
            np.absolute(difference, out=each)

    def products(self, inputs: Arrays, each: Array, work: Arrays) -> tuple[Action, Sequence[Pair]]:
        """The same."""
        if not mild(self.beta):
            return super().products(inputs, each, work)
        return bent_products(inputs, each, work[0], bend=self.beta, width=self.beta)

    def bend(self, slope: Array, work: Array) -> None:
        """The difference in units of beta, then 1."""
        beta = shared(slope.dtype, self.beta)[0]
        if not beta:
            sign(slope, work)
            return
        cut_off(slope, slope, bend=self.beta)
        if self.beta != 1:
            np.divide(slope, beta, out=slope)
