"""L1Loss."""

from __future__ import annotations

from typing import Literal, final

from declnet.core.component import Scratch, Site, Step
from declnet.core.registry import losses
from declnet.core.spec import Array, Kind, Spec
from declnet.losses.difference import DifferenceLoss, magnitude, sign_scratch


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

    def scratch(self, input: Spec, target: Spec, *, training: bool) -> dict[str, Scratch]:
        """The differences, and their signs."""
        return super().scratch(input, target, training=training) | sign_scratch(input.shape, training=training)

    def curve(self, difference: Array, each: Array, site: Site) -> Step:
        """The magnitude; its slope is the sign."""
        return magnitude(difference, each, site)
