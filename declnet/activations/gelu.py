"""GELU, with the error function or with tanh."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, final

import numpy as np

from declnet.activations.elementwise import Elementwise
from declnet.activations.normal_cdf import normal_cdf
from declnet.core.component import Action
from declnet.core.numerics import shared
from declnet.core.registry import modules
from declnet.core.spec import Array

RATE = math.sqrt(2 / math.pi)
CUBIC = 0.044715
"""tanh(RATE * (x + CUBIC * x³)) stands for erf(x / sqrt(2)). Source: Hendrycks and Gimpel, section 2."""


@modules.register
@final
class GELU(Elementwise):
    """Gaussian error linear unit: output = input * Phi(input), Phi the normal distribution function.

    Phi(x) is (1 + erf(x / sqrt(2))) / 2, or with `approximate: tanh`
    (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x³))) / 2.

    Shape:
        input: (*), any shape. output: the same, above -0.171.

    Parameters:
        approximate: none, or tanh.

    Raises:
        ShapeError: the input is not floating point.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.GELU.html; Hendrycks and Gimpel, "Gaussian
        Error Linear Units (GELUs)", 2016. How Phi is computed: declnet/activations/normal_cdf.py.
    """

    pytorch = "torch.nn.GELU"
    saves: ClassVar[tuple[str, ...]] = ("input",)
    work: ClassVar[int] = 3

    type: Literal["GELU"] = "GELU"
    approximate: Literal["none", "tanh"] = "none"

    def forward(self, x: Array, y: Array, *work: Array) -> Action:
        """x * Phi(x)."""
        cdf = normal_cdf(x, y, work[0], work[1]) if self.approximate == "none" else _tanh_cdf(x, y, work[0])

        def forward() -> None:
            cdf()
            np.multiply(y, x, out=y)

        return forward

    def backward(self, saved: Array, grad_y: Array, grad_x: Array, *work: Array) -> Action:
        """grad_y * (Phi(x) + x * Phi'(x))."""
        phi, slope, other = work
        if self.approximate == "none":
            gradient = _normal_gradient(saved, phi, slope, other)
        else:
            gradient = _tanh_gradient(saved, phi, slope, other)

        def backward() -> None:
            gradient()
            np.multiply(grad_y, phi, out=grad_x)

        return backward


def _normal_gradient(x: Array, total: Array, density: Array, work: Array) -> Action:
    """total = Phi(x) + x * phi(x)."""
    cdf = normal_cdf(x, total, density, work)
    (scale,) = shared(x.dtype, 1 / math.sqrt(2 * math.pi))

    def gradient() -> None:
        cdf()
        np.multiply(density, scale, out=density)
        np.multiply(density, x, out=density)
        np.add(total, density, out=total)

    return gradient


def _tanh_cdf(x: Array, cdf: Array, work: Array) -> Action:
    """cdf = (1 + tanh(RATE * (x + CUBIC * x³))) / 2."""
    rate, cubic, half = shared(x.dtype, RATE, RATE * CUBIC, 0.5)

    def run() -> None:
        np.multiply(x, x, out=work)
        np.multiply(work, cubic, out=work)
        np.add(work, rate, out=work)
        np.multiply(work, x, out=work)
        np.tanh(work, out=work)
        np.multiply(work, half, out=cdf)
        np.add(cdf, half, out=cdf)

    return run


def _tanh_gradient(x: Array, total: Array, tanh: Array, work: Array) -> Action:
    """total = cdf + x / 2 * (1 - tanh²) * RATE * (1 + 3 * CUBIC * x²)."""
    cdf = _tanh_cdf(x, total, tanh)
    half_rate, half_cubic, one = shared(x.dtype, RATE / 2, 1.5 * RATE * CUBIC, 1)

    def gradient() -> None:
        cdf()
        np.multiply(tanh, tanh, out=tanh)
        np.subtract(one, tanh, out=tanh)
        np.multiply(tanh, x, out=tanh)
        np.multiply(x, x, out=work)
        np.multiply(work, half_cubic, out=work)
        np.add(work, half_rate, out=work)
        np.multiply(work, tanh, out=work)
        np.add(total, work, out=total)

    return gradient
