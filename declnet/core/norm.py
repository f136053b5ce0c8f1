"""p-norms along dimensions, (|x_1|^p + ... + |x_n|^p)^(1/p), and their slopes, over arrays that are there."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field

from declnet.core.spec import Array


def _is_number(p: float) -> float:
    if math.isnan(p):
        raise ValueError("an exponent must be a number")
    return p


Exponent = Annotated[float, Field(allow_inf_nan=True), AfterValidator(_is_number)]
"""Of a norm: 0 counts the numbers that are not 0, infinity (`.inf` in a config) takes the largest magnitude, and
-infinity the smallest. Below 0, which is no norm any more, one number that is 0 makes it 0.
"""


class Norm:
    """The norms of `x` along the dimensions that `norm` keeps with size 1; `work` is shaped like x."""

    def __init__(self, p: float, x: Array, norm: Array, work: Array) -> None:
        """Of a single number every norm is its magnitude: there is no power that could overflow."""
        self.dims = tuple(dim for dim, size in enumerate(x.shape) if norm.shape[dim] != size)
        self._signed = p == 1 or math.isinf(p)
        self._p = p = p if self.dims or p == 0 else 1.0
        self._x, self._norm, self._work = x, norm, work
        self._zero, self._power, self._root, self._less = (
            np.array(number, x.dtype) for number in (0, p, 1 / p if p else 0, p - 1)
        )

    def measure(self) -> None:
        """Write the norms."""
        p, norm, work = self._p, self._norm, self._work
        if p == 2:
            np.multiply(self._x, self._x, out=work)
        elif p == 0:
            np.not_equal(self._x, self._zero, out=work)
        else:
            np.absolute(self._x, out=work)
        if math.isinf(p):
            (np.maximum if p > 0 else np.minimum).reduce(work, axis=self.dims, keepdims=True, out=norm)
            return
        if p not in (0, 1, 2):
            np.power(work, self._power, out=work)
        np.add.reduce(work, axis=self.dims, keepdims=True, out=norm)
        if p == 2:
            np.sqrt(norm, out=norm)
        elif p not in (0, 1):
            np.power(norm, self._root, out=norm)

    def slope(self, pull: Array, spare: Array, zeros: Array) -> None:
        """Make work * pull what pull * the norm's slope is in each number; a norm of 0 has no slope.

        `pull` and `spare` are shaped like the norms, the booleans `zeros` like x.
        """
        p, x, work = self._p, self._x, self._work
        if p == 0:
            work.fill(0)
        elif p == 1:
            np.sign(x, out=work)
            if not self._is_finite() and self._signed:  # a sign, which NaN does not have
                np.isnan(x, out=zeros)
                np.copyto(work, self._zero, where=zeros)
            elif not self._is_finite():  # a quotient of powers, which infinities make NaN
                np.isfinite(x, out=zeros)
                np.logical_not(zeros, out=zeros)
                np.copyto(work, np.nan, where=zeros)
        elif p == 2:
            np.divide(pull, self._norm, out=pull)
            np.copyto(work, x)
        elif math.isinf(p):  # shared by all that are the largest, or smallest; NaN has a share, and no sign
            lost = not self._is_finite()
            np.absolute(x, out=work)
            np.equal(work, self._norm, out=work)
            if lost:
                np.isnan(x, out=zeros)
                np.copyto(work, zeros, where=zeros)
            np.add.reduce(work, axis=self.dims, keepdims=True, out=spare)
            np.divide(pull, spare, out=pull)
            np.copysign(work, x, out=work)
            if lost:
                np.copyto(work, self._zero, where=zeros)
        else:  # |x|^(p - 1) / norm^(p - 1), and 0 at 0 also where p < 1
            np.power(self._norm, self._less, out=spare)
            np.divide(pull, spare, out=pull)
            np.absolute(x, out=work)
            np.power(work, self._less, out=work)
            np.copysign(work, x, out=work)
            np.equal(x, self._zero, out=zeros)
            np.copyto(work, self._zero, where=zeros)

    def _is_finite(self) -> bool:
        """Whether all numbers are, as far as their norms show it."""
        return bool(np.isfinite(np.add.reduce(self._norm, axis=None)))
