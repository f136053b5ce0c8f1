"""HuberLoss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, final

from pydantic import PositiveFloat

from declnet.core.component import Action
from declnet.core.numerics import Pair
from declnet.core.registry import losses
from declnet.core.spec import Array, Kind, Spec
from declnet.losses.difference import DifferenceLoss, bent, bent_products, cut_off, mild
from declnet.losses.elements import Arrays


@losses.register
@final
class HuberLoss(DifferenceLoss):
    """Squared error near 0, absolute far off: loss = d² / 2 where d = |input - target| <= delta, else a line.

    The line is delta * (d - delta / 2), which goes on where the square ends, at the same slope.

    Shape:
        input: (*), any shape. target: the same. output: (), or (*) where reduction is none. Its unit is the
        square of the target's.

    Parameters:
        reduction: mean, sum or none.
        delta: the difference at which the square turns into a line, greater than 0.

    Raises:
        ShapeError: input and target differ in shape (PyTorch warns and broadcasts, which is hardly ever
            meant), or one of them is not floating point.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.HuberLoss.html;
        Huber, "Robust Estimation of a Location Parameter", 1964.
    """

    pytorch = "torch.nn.HuberLoss"
    refused: ClassVar[dict[str, str]] = {}

    works: ClassVar[int] = 2
    passes: ClassVar[int] = 8

    type: Literal["HuberLoss"] = "HuberLoss"
    delta: PositiveFloat = 1.0

    def kinds(self) -> tuple[Kind, ...]:
        """PyTorch's takes no other."""
        return ("float",)

    def flops(self, input: Spec, target: Spec) -> int:
        """Difference, cut, its half, what is left, product, sum: six for each element."""
        return 6 * input.size

    def lose(self, difference: Array, each: Array, *work: Array) -> None:
        """A parabola up to delta, then a line of slope delta."""
        bent(difference, each, *work, bend=self.delta, width=1)

    def products(self, inputs: Arrays, each: Array, work: Arrays) -> tuple[Action, Sequence[Pair]]:
        """The same."""
        if not mild(self.delta):
            return super().products(inputs, each, work)
        return bent_products(inputs, each, work[0], bend=self.delta, width=1)

    def bend(self, slope: Array, work: Array) -> None:
        """The difference up to delta, then delta."""
        cut_off(slope, slope, bend=self.delta)
