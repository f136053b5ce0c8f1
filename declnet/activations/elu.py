"""ELU."""

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
class ELU(Elementwise):
    """Exponential linear unit: output = max(0, input) + alpha * (exp(min(0, input)) - 1).

    The gradient at 0 is alpha.

    Shape:
        input: (*), any shape. output: the same, from -alpha on for a positive alpha.

    Parameters:
        alpha: the size of what large negative inputs come to.

    Raises:
        ShapeError: the input is not floating point.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.ELU.html; Clevert, Unterthiner and Hochreiter,
        "Fast and Accurate Deep Network Learning by Exponential Linear Units (ELUs)", 2015.
    """

    pytorch = "torch.nn.ELU"
    refused: ClassVar[dict[str, str]] = INPLACE
    saves: ClassVar[tuple[str, ...]] = ("input",)
    work: ClassVar[int] = 3

    type: Literal["ELU"] = "ELU"
    alpha: float = 1.0

    def forward(self, x: Array, y: Array, *work: Array) -> Action:
        """Both parts, and their sum."""
        zero, alpha, below = zeros(x.dtype)[: x.size], np.array(self.alpha, x.dtype), work[0]

        def forward() -> None:
            np.minimum(x, zero, out=below)
            np.expm1(below, out=below)
            np.multiply(below, alpha, out=below)
            np.maximum(x, zero, out=y)
            np.add(y, below, out=y)

        return forward

    def backward(self, saved: Array, grad_y: Array, grad_x: Array, *work: Array) -> Action:
        """The gradient where the input is positive, elsewhere alpha * exp(input) times that."""
        zero, alpha = zeros(saved.dtype)[: saved.size], np.array(self.alpha, saved.dtype)
        curved, positive = work[0], flags(work[1])
        select = selecting(positive, grad_y, curved, out=grad_x, mask=work[2])

        def backward() -> None:
            np.greater(saved, zero, out=positive)
            np.minimum(saved, zero, out=curved)
            np.exp(curved, out=curved)
            np.multiply(curved, alpha, out=curved)
            np.multiply(curved, grad_y, out=curved)
            select()

        return backward
