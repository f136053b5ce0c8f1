"""Sigmoid, and SiLU, the input times that."""

from __future__ import annotations

from typing import ClassVar, Literal, final

import numpy as np

from declnet.activations.elementwise import INPLACE, Elementwise, Sloped
from declnet.core.component import Action
from declnet.core.registry import modules
from declnet.core.spec import Array, Kind


@modules.register
@final
class Sigmoid(Elementwise):
    """Logistic function: output = 1 / (1 + exp(-input)).

    Shape:
        input: (*), any shape and kind of number. output: the same shape, floats in [0, 1].

    Parameters:
        none.

    Raises:
        nothing.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Sigmoid.html
    """

    pytorch = "torch.nn.Sigmoid"
    saves: ClassVar[tuple[str, ...]] = ("output",)
    kinds: ClassVar[tuple[Kind, ...]] = ("float", "int", "bool")
    work: ClassVar[int] = 1
    cost: ClassVar[int] = 7
    backward_cost: ClassVar[int] = 3

    type: Literal["Sigmoid"] = "Sigmoid"

    def forward(self, x: Array, y: Array, *work: Array) -> Action:
        """1 / (1 + exp(-x)); an infinite exponential gives 0, as it should."""
        one = np.array(1, x.dtype)

        def forward() -> None:
            np.negative(x, out=y)
            np.exp(y, out=y)
            np.add(y, one, out=y)
            np.divide(one, y, out=y)

        return forward

    def backward(self, saved: Array, grad_y: Array, grad_x: Array, *work: Array) -> Action:
        """grad_y * y * (1 - y)."""
        one, slope = np.array(1, saved.dtype), work[0]

        def backward() -> None:
            np.subtract(one, saved, out=slope)
            np.multiply(slope, saved, out=slope)
            np.multiply(grad_y, slope, out=grad_x)

        return backward


@modules.register
@final
class SiLU(Sloped):
    """Sigmoid linear unit, or swish: output = input * sigmoid(input) = input / (1 + exp(-input)).

    Shape:
        input: (*), any shape. output: the same, above -0.279.

    Parameters:
        none.

    Raises:
        ShapeError: the input is not floating point.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.SiLU.html; Hendrycks and Gimpel, "Gaussian
        Error Linear Units (GELUs)", 2016; Elfwing, Uchibe and Doya, "Sigmoid-Weighted Linear Units for Neural
        Network Function Approximation in Reinforcement Learning", 2017.
    """

    pytorch = "torch.nn.SiLU"
    refused: ClassVar[dict[str, str]] = INPLACE
    work: ClassVar[int] = 1
    cost: ClassVar[int] = 8

    type: Literal["SiLU"] = "SiLU"

    def forward(self, x: Array, y: Array, *work: Array) -> Action:
        """x / (1 + exp(-x))."""
        one, below = np.array(1, x.dtype), work[0]

        def forward() -> None:
            np.negative(x, out=below)
            np.exp(below, out=below)
            np.add(below, one, out=below)
            np.divide(x, below, out=y)

        return forward

    def with_slope(self, x: Array, y: Array, slope: Array, *work: Array) -> Action:
        """y = x * s and slope = s + y * (1 - s), for s = sigmoid(x)."""
        one, sigmoid = np.array(1, x.dtype), work[0]

        def forward() -> None:
            np.negative(x, out=sigmoid)
            np.exp(sigmoid, out=sigmoid)
            np.add(sigmoid, one, out=sigmoid)
            np.divide(one, sigmoid, out=sigmoid)
            np.multiply(x, sigmoid, out=y)
            np.subtract(one, sigmoid, out=slope)
            np.multiply(slope, y, out=slope)
            np.add(slope, sigmoid, out=slope)

        return forward
