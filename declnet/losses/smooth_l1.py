"""SmoothL1Loss."""

from __future__ import annotations

from typing import Literal, final

import numpy as np
from pydantic import NonNegativeFloat

from declnet.core.component import Scratch, Site, Step
from declnet.core.registry import losses
from declnet.core.spec import Array, Kind, Spec
from declnet.losses.difference import DifferenceLoss, bent, magnitude, sign_scratch


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

    type: Literal["SmoothL1Loss"] = "SmoothL1Loss"
    beta: NonNegativeFloat = 1.0

    def kinds(self) -> tuple[Kind, ...]:
        """Like PyTorch's; with beta = 0 that is L1Loss."""
        return ("float", "int", "bool") if self.beta else ("float", "int")

    def flops(self, input: Spec, target: Spec) -> int:
        """Difference, cut, its half, what is left, quotient, product, sum: seven for each element."""
        return 7 * input.size

    def scratch(self, input: Spec, target: Spec, *, training: bool) -> dict[str, Scratch]:
        """The differences, and these cut off at beta; the signs where beta is, or rounds to, nothing."""
        names = super().scratch(input, target, training=training) | {"near": Scratch(input.shape)}
        return names | (sign_scratch(input.shape, training=training) if _vanishes(self.beta) else {})

    def curve(self, difference: Array, each: Array, site: Site) -> Step:
        """A parabola up to beta, then a line of slope 1."""
        beta = np.array(self.beta, difference.dtype)
        return (
            bent(difference, each, site.scratch["near"], beta, beta) if beta else magnitude(difference, each, site)
        )


def _vanishes(beta: float) -> bool:
    """Whether it is 0 at least in float32."""
    return not np.float32(beta)
