"""GELU, with the error function or with tanh."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, final

import numpy as np

from declnet.activations.elementwise import Sloped
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
class GELU(Sloped):
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
    work: ClassVar[int] = 3
    cost: ClassVar[int] = 16

    type: Literal["GELU"] = "GELU"
    approximate: Literal["none", "tanh"] = "none"

    def forward(self, x: Array, y: Array, *work: Array) -> Action:
        """x * Phi(x)."""
        cdf = work[0]
        find = normal_cdf(x, *work) if self.approximate == "none" else _tanh_cdf(x, *work)

        def forward() -> None:
            find()
            np.multiply(x, cdf, out=y)

        return forward

    def with_slope(self, x: Array, y: Array, slope: Array, *work: Array) -> Action:
        """y = x * Phi(x) and slope = Phi(x) + x * Phi'(x)."""
        cdf = work[0]
        find = _normal_slope(x, slope, *work) if self.approximate == "none" else _tanh_slope(x, slope, *work)

        def forward() -> None:
            find()
            np.add(slope, cdf, out=slope)
            np.multiply(x, cdf, out=y)

        return forward


def _normal_slope(x: Array, slope: Array, cdf: Array, density: Array, work: Array) -> Action:
    """cdf = Phi(x) and slope = x * phi(x)."""
    find = normal_cdf(x, cdf, density, work)
    (scale,) = shared(x.dtype, 1 / math.sqrt(2 * math.pi))

    def run() -> None:
        find()
        np.multiply(density, scale, out=slope)
        np.multiply(slope, x, out=slope)

    return run


def _tanh_cdf(x: Array, cdf: Array, tanh: Array, square: Array) -> Action:
    """cdf = (1 + tanh(RATE * (x + CUBIC * x³))) / 2; on the way, that tanh and x²."""
    rate, cubic, half = shared(x.dtype, RATE, RATE * CUBIC, 0.5)

    def run() -> None:
        np.square(x, out=square)
        np.multiply(square, cubic, out=tanh)
        np.add(tanh, rate, out=tanh)
        np.multiply(tanh, x, out=tanh)
        np.tanh(tanh, out=tanh)
        np.multiply(tanh, half, out=cdf)
        np.add(cdf, half, out=cdf)

    return run


def _tanh_slope(x: Array, slope: Array, cdf: Array, tanh: Array, square: Array) -> Action:
    """cdf as above and slope = x / 2 * (1 - tanh²) * RATE * (1 + 3 * CUBIC * x²)."""
    find = _tanh_cdf(x, cdf, tanh, square)
    half_rate, half_cubic, one = shared(x.dtype, RATE / 2, 1.5 * RATE * CUBIC, 1)

    def run() -> None:
        find()
        np.square(tanh, out=tanh)
        np.subtract(one, tanh, out=tanh)
        np.multiply(tanh, x, out=tanh)
        np.multiply(square, half_cubic, out=slope)
        np.add(slope, half_rate, out=slope)
        np.multiply(slope, tanh, out=slope)

    return run
