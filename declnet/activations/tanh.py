"""Tanh."""

from __future__ import annotations

from typing import ClassVar, Literal, final

import numpy as np

from declnet.activations.elementwise import Elementwise
from declnet.core.component import Action
from declnet.core.registry import modules
from declnet.core.spec import Array, Kind


@modules.register
@final
class Tanh(Elementwise):
    """Hyperbolic tangent: output = tanh(input).

    Shape:
        input: (*), any shape and kind of number. output: the same shape, floats in [-1, 1].

    Parameters:
        none.

    Raises:
        nothing.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Tanh.html
    """

    pytorch = "torch.nn.Tanh"
    saves: ClassVar[tuple[str, ...]] = ("output",)
    kinds: ClassVar[tuple[Kind, ...]] = ("float", "int", "bool")
    work: ClassVar[int] = 1
    cost: ClassVar[int] = 8
    backward_cost: ClassVar[int] = 3

    type: Literal["Tanh"] = "Tanh"

    def forward(self, x: Array, y: Array, *work: Array) -> Action:
        """tanh(x)."""

        def forward() -> None:
            np.tanh(x, out=y)

        return forward

    def backward(self, saved: Array, grad_y: Array, grad_x: Array, *work: Array) -> Action:
        """grad_y * (1 - y²)."""
        one, slope = np.array(1, saved.dtype), work[0]

        def backward() -> None:
            np.multiply(saved, saved, out=slope)
            np.subtract(one, slope, out=slope)
            np.multiply(grad_y, slope, out=grad_x)

        return backward
