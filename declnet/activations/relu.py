"""ReLU."""

from __future__ import annotations

from typing import ClassVar, Literal, final

import numpy as np

from declnet.activations.elementwise import INPLACE, Elementwise
from declnet.core.component import Action
from declnet.core.numerics import LONG, filled, zeros
from declnet.core.registry import modules
from declnet.core.spec import Array, Kind, Spec


@modules.register
@final
class ReLU(Elementwise):
    """Rectifier: output = max(0, input). The gradient at 0 is 0; NaN lets it through.

    Shape:
        input: (*), any shape, floats or integers. output: the same.

    Parameters:
        none.

    Raises:
        ShapeError: the input holds booleans.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.ReLU.html
    """

    pytorch = "torch.nn.ReLU"
    refused: ClassVar[dict[str, str]] = INPLACE
    saves: ClassVar[tuple[str, ...]] = ("output",)
    kinds: ClassVar[tuple[Kind, ...]] = ("float", "int")
    work: ClassVar[int] = 1
    cost: ClassVar[int] = 1
    backward_cost: ClassVar[int] = 2

    type: Literal["ReLU"] = "ReLU"

    def infer(self, input: Spec) -> Spec:
        """Any shape; integers stay such."""
        super().infer(input)
        return input

    def forward(self, x: Array, y: Array, *work: Array) -> Action:
        """max(0, x)."""
        zero = zeros(x.dtype)[: x.size]

        def forward() -> None:
            np.maximum(x, zero, out=y)

        return forward

    def backward(self, saved: Array, grad_y: Array, grad_x: Array, *work: Array) -> Action:
        """The gradient where the output is positive."""
        # An output is +0 (the maximum of -0 and 0 is 0), or positive or NaN: its bits are 0, or they are not. The
        # smaller of them, as an unsigned number, and 1 is 0 or 1. Times the bits of a gradient that also blocks an
        # infinite one, as PyTorch does, and as a product of real numbers would not.
        unsigned = np.dtype(f"u{saved.itemsize}")
        room = work[0] if np.may_share_memory(grad_y, grad_x) else grad_x  # fewer arrays stay in the cache
        y, grad_y, grad_x, passed = (array.view(unsigned) for array in (saved, grad_y, grad_x, room))
        one = filled(unsigned, LONG, 1)[: y.size]

        def backward() -> None:
            np.minimum(y, one, out=passed)
            np.multiply(passed, grad_y, grad_x)

        return backward
