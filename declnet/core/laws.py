"""How parameters get their first values: PyTorch's distributions and bounds.

A law is what a component gives each of its parameters. What a config names under `init` is a law too: see
`core/initializer.py` for the contract, and `declnet/initializers/` for the family.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from declnet.core.numerics import blocks
from declnet.core.spec import Array
from declnet.records import record


class Law(Protocol):
    """Fills a new parameter in place, drawing from the generator it is given."""

    def __call__(self, out: Array, rng: np.random.Generator) -> None:
        """Write the first values into `out`."""


@record
class Uniform:
    """Independent draws from U(low, high)."""

    low: float
    high: float

    def __call__(self, out: Array, rng: np.random.Generator) -> None:
        """Fill `out`; drawn in float64, so both dtypes start from the same numbers, and a block at a time, so no
        second array of its size is needed.
        """
        for (block,) in blocks(out):
            block[...] = rng.uniform(self.low, self.high, block.size)


@record
class Normal:
    """Independent draws from N(mean, std²)."""

    mean: float = 0.0
    std: float = 1.0

    def __call__(self, out: Array, rng: np.random.Generator) -> None:
        """Fill `out`, drawn as in `Uniform`."""
        for (block,) in blocks(out):
            block[...] = rng.normal(self.mean, self.std, block.size)


@record
class Constant:
    """One value everywhere."""

    value: float

    def __call__(self, out: Array, rng: np.random.Generator) -> None:
        """Fill `out`."""
        out[...] = self.value


def fan_in(shape: Sequence[int]) -> int:
    """Inputs that feed one output of a weight of this shape `(out, in, *kernel)`."""
    return math.prod(shape[1:])


def fan_in_uniform(shape: Sequence[int]) -> Uniform:
    """U(-1/sqrt(fan_in), 1/sqrt(fan_in)): the default of PyTorch's Linear and Conv, weight and bias alike.

    PyTorch writes the weight's as `kaiming_uniform_(a=sqrt(5))`: its gain is sqrt(2 / (1 + 5)) = sqrt(1/3),
    so the bound gain * sqrt(3 / fan_in) is 1 / sqrt(fan_in). A fan-in of 0 gives the constant 0.
    """
    fan = fan_in(shape)
    bound = 1 / math.sqrt(fan) if fan > 0 else 0.0
    return Uniform(-bound, bound)
