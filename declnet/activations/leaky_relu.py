"""LeakyReLU."""

from __future__ import annotations

from typing import ClassVar, Literal, final

import numpy as np

from declnet.activations.elementwise import INPLACE, Elementwise, flags, selecting
from declnet.core.component import Action
from declnet.core.numerics import zeros
from declnet.core.registry import modules
from declnet.core.spec import Array


@modules.register
@final
class LeakyReLU(Elementwise):
    """Rectifier with a slope below 0: output = max(0, input) + negative_slope * min(0, input).

    The gradient at 0 is negative_slope.

    Shape:
        input: (*), any shape. output: the same.

    Parameters:
        negative_slope: the slope where the input is negative.

    Raises:
        ShapeError: the input is not floating point.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.LeakyReLU.html; Maas, Hannun and Ng,
        "Rectifier Nonlinearities Improve Neural Network Acoustic Models", 2013.
    """

    pytorch = "torch.nn.LeakyReLU"
    refused: ClassVar[dict[str, str]] = INPLACE
    saves: ClassVar[tuple[str, ...]] = ("input",)
    work: ClassVar[int] = 3

    type: Literal["LeakyReLU"] = "LeakyReLU"
    negative_slope: float = 0.01

    def forward(self, x: Array, y: Array, *work: Array) -> Action:
        """Both parts, and their sum."""
        zero, slope, below = zeros(x.dtype)[: x.size], np.array(self.negative_slope, x.dtype), work[0]

        def forward() -> None:
            np.minimum(x, zero, out=below)
            np.multiply(below, slope, out=below)
            np.maximum(x, zero, out=y)
            np.add(y, below, out=y)

        return forward

    def backward(self, saved: Array, grad_y: Array, grad_x: Array, *work: Array) -> Action:
        """The gradient where the input is positive, elsewhere negative_slope times that."""
        zero, slope = zeros(saved.dtype)[: saved.size], np.array(self.negative_slope, saved.dtype)
        sloped, positive = work[0], flags(work[1])
        select = selecting(positive, grad_y, sloped, out=grad_x, mask=work[2])

        def backward() -> None:
            np.greater(saved, zero, out=positive)
            np.multiply(grad_y, slope, out=sloped)
            select()

        return backward
