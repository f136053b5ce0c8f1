"""ReLU."""

from __future__ import annotations

from typing import ClassVar, Literal, final

import numpy as np

from declnet.activations.elementwise import INPLACE, Elementwise
from declnet.core.component import Action
from declnet.core.numerics import bits, zeros
from declnet.core.registry import modules
from declnet.core.spec import Array


@modules.register
@final
class ReLU(Elementwise):
    """Rectifier: output = max(0, input). The gradient at 0 is 0; at NaN it is the output's or 0, by its sign bit.

    Shape:
        input: (*), any shape. output: the same.

    Parameters:
        none.

    Raises:
        ShapeError: the input is not floating point.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.ReLU.html
    """

    pytorch = "torch.nn.ReLU"
    refused: ClassVar[dict[str, str]] = INPLACE
    saves: ClassVar[tuple[str, ...]] = ("output",)
    work: ClassVar[int] = 1

    type: Literal["ReLU"] = "ReLU"

    def forward(self, x: Array, y: Array, *work: Array) -> Action:
        """max(0, x)."""
        zero = zeros(x.dtype)[: x.size]

        def forward() -> None:
            np.maximum(x, zero, out=y)

        return forward

    def backward(self, saved: Array, grad_y: Array, grad_x: Array, *work: Array) -> Action:
        """The gradient where the output is positive."""
        # An output is positive or +0 (the maximum of -0 and 0 is 0), so the negative of its bits, seen as an
        # integer, has its sign set just where the output is positive; shifted down, the sign fills the word: a
        # mask of all ones or zeros. Unlike a product with 0 and 1 it also blocks infinite gradients, as
        # PyTorch does.
        y, grad_y, grad_x, mask = bits(saved), bits(grad_y), bits(grad_x), bits(work[0])
        shift = np.array(8 * mask.itemsize - 1, mask.dtype)

        def backward() -> None:
            np.negative(y, out=mask)
            np.right_shift(mask, shift, out=mask)
            np.bitwise_and(mask, grad_y, out=grad_x)

        return backward
