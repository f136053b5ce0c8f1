"""LeakyReLU."""

from __future__ import annotations

from typing import ClassVar, Literal, final

import numpy as np

from declnet.activations.elementwise import INPLACE, Elementwise, flags, masking
from declnet.core.component import Action
from declnet.core.numerics import bits, zeros
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
    work: ClassVar[int] = 2
    cost: ClassVar[int] = 2
    backward_cost: ClassVar[int] = 5

    type: Literal["LeakyReLU"] = "LeakyReLU"
    negative_slope: float = 0.01

    def forward(self, x: Array, y: Array, *work: Array) -> Action:
        """The larger of x and slope * x, or the smaller where the slope is above 1."""
        zero, slope = zeros(x.dtype)[: x.size], np.array(self.negative_slope, x.dtype)
        extreme = np.maximum if self.negative_slope <= 1 else np.minimum

        def forward() -> None:
            np.multiply(x, slope, out=y)
            extreme(y, x, out=y)

        def forward_flat() -> None:
            np.minimum(x, zero, out=y)  # 0 times inf is NaN
            np.multiply(y, slope, out=y)
            np.maximum(y, x, out=y)

        return forward if self.negative_slope else forward_flat

    def backward(self, saved: Array, grad_y: Array, grad_x: Array, *work: Array) -> Action:
        """The gradient times 1 where the input is positive, elsewhere negative_slope times that."""
        zero, (one, slope) = zeros(saved.dtype)[: saved.size], np.array([1, self.negative_slope], saved.dtype)
        positive, factor = flags(work[0]), work[1]
        widen, words = masking(positive, factor), bits(factor)
        same, changed = bits(slope[None]), bits(one[None]) ^ bits(slope[None])

        def backward() -> None:
            np.greater(saved, zero, out=positive)
            widen()
            np.bitwise_and(words, changed, out=words)
            np.bitwise_xor(words, same, out=words)
            np.multiply(grad_y, factor, out=grad_x)

        return backward
