"""Softplus."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, final

import numpy as np
from pydantic import Field

from declnet.activations.elementwise import Elementwise, flags, selecting
from declnet.core.component import Action
from declnet.core.numerics import zeros
from declnet.core.registry import modules
from declnet.core.spec import Array


@modules.register
@final
class Softplus(Elementwise):
    """Smooth rectifier: output = log(1 + exp(beta * input)) / beta; the input itself above the threshold.

    The logarithm is taken of 1 + exp(-|beta * input|), so nothing overflows, however high the threshold.

    Shape:
        input: (*), any shape. output: the same, not negative for a positive beta and threshold.

    Parameters:
        beta: how sharp the bend is.
        threshold: where beta * input is above it, the function is taken as linear; `.inf` for nowhere.

    Raises:
        ShapeError: the input is not floating point.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Softplus.html
    """

    pytorch = "torch.nn.Softplus"
    saves: ClassVar[tuple[str, ...]] = ("input",)
    work: ClassVar[int] = 4

    type: Literal["Softplus"] = "Softplus"
    beta: float = 1.0
    threshold: Annotated[float, Field(allow_inf_nan=True)] = 20.0

    def forward(self, x: Array, y: Array, *work: Array) -> Action:
        """max(z, 0) + log(1 + exp(-|z|)), for z = beta * x."""
        beta, threshold = (np.array(number, x.dtype) for number in (self.beta, self.threshold))
        zero, (z, smooth), linear = zeros(x.dtype)[: x.size], work[:2], flags(work[2])
        select = selecting(linear, x, smooth, out=y, mask=work[3])

        def forward() -> None:
            np.multiply(x, beta, out=z)
            np.greater(z, threshold, out=linear)
            np.abs(z, out=smooth)
            np.negative(smooth, out=smooth)
            np.exp(smooth, out=smooth)
            np.log1p(smooth, out=smooth)
            np.maximum(z, zero, out=z)
            np.add(smooth, z, out=smooth)
            np.divide(smooth, beta, out=smooth)
            select()

        return forward

    def backward(self, saved: Array, grad_y: Array, grad_x: Array, *work: Array) -> Action:
        """The gradient above the threshold, elsewhere sigmoid(z) times that."""
        beta, threshold, one = (np.array(number, saved.dtype) for number in (self.beta, self.threshold, 1))
        curved, linear = work[0], flags(work[1])
        select = selecting(linear, grad_y, curved, out=grad_x, mask=work[2])

        def backward() -> None:
            np.multiply(saved, beta, out=curved)
            np.greater(curved, threshold, out=linear)
            np.negative(curved, out=curved)
            np.exp(curved, out=curved)
            np.add(curved, one, out=curved)
            np.divide(grad_y, curved, out=curved)
            select()

        return backward
