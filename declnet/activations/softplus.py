"""Softplus."""

from __future__ import annotations

import math
from functools import partial
from typing import Annotated, ClassVar, Literal, final

import numpy as np
from pydantic import Field

from declnet.activations.elementwise import Sloped, flags, masking, merging
from declnet.core.component import Action
from declnet.core.numerics import LONG, bits, filled, horner, shared, zeros
from declnet.core.registry import modules
from declnet.core.spec import Array


@modules.register
@final
class Softplus(Sloped):
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
    work: ClassVar[int] = 5
    cost: ClassVar[int] = 20

    type: Literal["Softplus"] = "Softplus"
    beta: float = 1.0
    threshold: Annotated[float, Field(allow_inf_nan=True)] = 20.0

    def forward(self, x: Array, y: Array, *work: Array) -> Action:
        """The curve; the input itself where beta * input is above the threshold."""
        z, exp, curve, spare, linear = work
        if not self._bends(x):
            return self._curve(x, y, z, exp, spare, linear)
        find, mask = self._curve(x, curve, z, exp, spare, linear), self._linear(z, spare, linear)
        select = merging(spare, x, curve, out=y)

        def forward() -> None:
            find()
            mask()
            select()

        return forward

    def with_slope(self, x: Array, y: Array, slope: Array, *work: Array) -> Action:
        """The slope is sigmoid(z), and 1 where the input itself is taken."""
        z, exp, curve, spare, linear = work
        one = filled(x.dtype, LONG, 1)[: x.size]
        if not self._bends(x):
            find, sigmoid = self._curve(x, y, z, exp, spare, linear), _sigmoid(z, exp, slope, spare)

            def forward() -> None:
                find()
                sigmoid()

            return forward
        find, sigmoid = self._curve(x, curve, z, exp, spare, linear), _sigmoid(z, exp, exp, spare)
        mask = self._linear(z, spare, linear)
        select, select_slope = merging(spare, x, curve, out=y), merging(spare, one, exp, out=slope)

        def bent() -> None:
            find()
            sigmoid()
            mask()
            select()
            select_slope()

        return bent

    def _bends(self, x: Array) -> bool:
        """Whether the threshold shows: whether above it the curve is anything but the input, its slope 1."""
        return self.beta != 1 or self.threshold < -math.log(np.finfo(x.dtype).eps / 4)

    def _linear(self, z: Array, mask: Array, linear: Array) -> Action:
        """Where z is above the threshold, all bits of the mask; elsewhere none."""
        above, threshold = flags(linear), np.array(self.threshold, z.dtype)
        widen = masking(above, mask)

        def run() -> None:
            np.greater(z, threshold, out=above)
            widen()

        return run

    def _curve(self, x: Array, y: Array, z: Array, exp: Array, *work: Array) -> Action:
        """z = beta * x and exp = exp(-|z|); y = (max(z, 0) + log(1 + exp)) / beta, written when x is read."""
        (beta,), zero = shared(x.dtype, self.beta), zeros(x.dtype)[: x.size]
        above, words, negative = work[0], bits(exp), np.array(np.iinfo(bits(exp).dtype).min)
        logarithm = _log1p(exp, y, *work)

        def run() -> None:
            np.multiply(x, beta, out=z)
            np.bitwise_or(bits(z), negative, out=words)
            np.exp(exp, out=exp)
            logarithm()
            np.maximum(z, zero, out=above)
            np.add(y, above, out=y)
            np.divide(y, beta, out=y)

        return run


def _sigmoid(z: Array, exp: Array, out: Array, work: Array) -> Action:
    """out = 1 / (1 + exp) where z is positive, elsewhere exp / (1 + exp), for exp = exp(-|z|)."""
    (one,), signs, words, chosen = shared(z.dtype, 1), bits(z), bits(work), bits(exp)
    ones, last = np.array(one).view(words.dtype), 8 * z.itemsize - 1

    def run() -> None:
        np.right_shift(signs, last, out=words)
        np.bitwise_xor(chosen, ones, out=chosen)
        np.bitwise_and(words, chosen, out=words)
        np.bitwise_xor(words, ones, out=words)  # 1 or exp
        np.bitwise_xor(chosen, ones, out=chosen)
        np.add(exp, one, out=out)
        np.divide(work, out, out=out)

    return run


def _log1p(x: Array, out: Array, square: Array, series: Array) -> Action:
    """out = log(1 + x), for x between 0 and 1, as exact close to 0 as anywhere; `out` may not be x.

    In float32, where NumPy's own takes eight times as long as exp, 2 * atanh(w) for w = x / (2 + x), whose series
    has the odd powers of w over their exponents: w is at most a third, so that seven terms do.
    """
    if x.dtype != np.float32:
        return partial(np.log1p, x, out=out)
    (two,), coefficients = shared(x.dtype, 2), shared(x.dtype, *(2 / power for power in range(13, 0, -2)))

    def run() -> None:
        np.add(x, two, out=out)
        np.divide(x, out, out=out)
        np.square(out, out=square)
        horner(coefficients, square, series)
        np.multiply(out, series, out=out)

    return run
