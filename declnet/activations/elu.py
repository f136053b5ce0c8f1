"""ELU."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import ClassVar, Literal, final

import numpy as np

from declnet.activations.elementwise import INPLACE, Sloped, flags, selecting
from declnet.core.component import Action
from declnet.core.numerics import LONG, filled, horner, shared, zeros
from declnet.core.registry import modules
from declnet.core.spec import Array

NEAR = -0.5
"""From here to 0, exp(x) - 1 as a difference would lose digits."""

BERNOULLI = tuple(map(Fraction, ("1", "1/6", "-1/30", "1/42", "-1/30", "5/66", "-691/2730", "7/6")))
"""The Bernoulli numbers B0, B2, ..., B14. x * coth(x / 2) is the sum of 2 * B2k * x^2k / (2k)!; from NEAR to 0 four
terms are as good as float32, eight as float64.
"""


@modules.register
@final
class ELU(Sloped):
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
    work: ClassVar[int] = 6
    cost: ClassVar[int] = 20

    type: Literal["ELU"] = "ELU"
    alpha: float = 1.0

    def forward(self, x: Array, y: Array, *work: Array) -> Action:
        """Both parts, and their sum."""
        exp, below, *others = work
        return self._forward(x, y, _exponentials(x, exp, below, *others[:2]), below)

    def with_slope(self, x: Array, y: Array, slope: Array, *work: Array) -> Action:
        """The slope is 1 where the input is positive, elsewhere alpha * exp(input)."""
        exp, below, *others = work
        if self.alpha == 1:  # and then it is exp(min(0, input)) everywhere
            return self._forward(x, y, _exponentials(x, slope, below, *others[:2]), below)
        exponentials = _exponentials(x, exp, below, *others[:2])
        forward = self._forward(x, y, exponentials, below)
        zero, one, (alpha,) = (
            zeros(x.dtype)[: x.size],
            filled(x.dtype, LONG, 1)[: x.size],
            shared(x.dtype, self.alpha),
        )
        positive = flags(others[2])
        select = selecting(positive, one, exp, out=slope, mask=others[3])

        def run() -> None:
            np.greater(x, zero, out=positive)
            forward()
            np.multiply(exp, alpha, out=exp)
            select()

        return run

    def _forward(self, x: Array, y: Array, exponentials: Action, below: Array) -> Action:
        zero, (alpha,) = zeros(x.dtype)[: x.size], shared(x.dtype, self.alpha)

        def forward() -> None:
            exponentials()
            np.multiply(below, alpha, out=below)
            np.maximum(x, zero, out=y)
            np.add(y, below, out=y)

        return forward


def _exponentials(x: Array, exp: Array, less: Array, near: Array, work: Array) -> Action:
    """exp = exp(min(x, 0)) and less = exp - 1, neither as a difference of like numbers.

    With min(x, 0) = near + far, the first of them between NEAR and 0: exp(far) * (exp(near) - 1) + exp(far) - 1,
    where exp(near) - 1 = 2 * near / (near * coth(near / 2) - near). NumPy's expm1 takes seven times as long as exp.
    """
    terms = 4 if x.dtype == np.float32 else 8
    coth = [2 * number / math.factorial(2 * k) for k, number in enumerate(BERNOULLI[:terms])]
    coefficients, (one,) = shared(x.dtype, *map(float, reversed(coth))), shared(x.dtype, 1)
    zero, edge = zeros(x.dtype)[: x.size], filled(x.dtype, LONG, NEAR)[: x.size]

    def run() -> None:
        np.minimum(x, zero, out=less)
        np.maximum(less, edge, out=near)
        np.subtract(less, near, out=exp)
        np.exp(exp, out=exp)
        np.square(near, out=less)
        horner(coefficients, less, work)
        np.subtract(work, near, out=work)
        np.divide(near, work, out=near)
        np.multiply(near, exp, out=near)
        np.add(near, near, out=near)
        np.subtract(exp, one, out=less)
        np.add(less, near, out=less)
        np.add(exp, near, out=exp)

    return run
