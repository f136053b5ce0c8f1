"""trunc_normal_: Gauss's distribution between two bounds."""

from __future__ import annotations

import math
from typing import ClassVar, Final, Literal, Self, final

import numpy as np
from pydantic import PositiveFloat, model_validator

from declnet.core.initializer import GENERATOR, Initialization
from declnet.core.numerics import blocks
from declnet.core.registry import initializers
from declnet.core.spec import Array
from declnet.initializers.uniform import check_bounds

FAINTEST: Final = 40.0
"""Where the density is below e^-40 of its peak nothing is drawn. Nothing would be kept there either: what it is
compared with is 0, or at least 2^-53 = e^-36.7."""


@initializers.register
@final
class TruncNormal(Initialization):
    """Draws each value from the normal distribution N(mean, std²) between a and b.

    The bounds are values, not multiples of std. mean need not lie between them.

    Shape:
        Any.

    Parameters:
        mean: the mean before truncation.
        std: the standard deviation before truncation.
        a: the least value.
        b: the greatest value.

    Raises:
        ConfigError: a is greater than b, b - a is not finite, or std is too small for how far mean is from them.

    Reference: https://docs.pytorch.org/docs/2.13/nn.init.html#torch.nn.init.trunc_normal_
    """

    pytorch = "torch.nn.init.trunc_normal_"
    refused: ClassVar[dict[str, str]] = GENERATOR

    type: Literal["trunc_normal_"] = "trunc_normal_"
    mean: float = 0.0
    std: PositiveFloat = 1.0
    a: float = -2.0
    b: float = 2.0

    @model_validator(mode="after")
    def _has_a_density(self) -> Self:
        check_bounds(self.a, self.b)
        if not math.isfinite(self._peak):
            raise ValueError(
                f"the bounds {self.a:g} to {self.b:g} are too far from the mean {self.mean:g} to count in "
                f"standard deviations of {self.std:g}; give a greater std"
            )
        return self

    @property
    def _ends(self) -> tuple[float, float]:
        """The bounds, in standard deviations from the mean."""
        return (self.a - self.mean) / self.std, (self.b - self.mean) / self.std

    @property
    def _peak(self) -> float:
        """Where between the bounds the density is greatest, in standard deviations from the mean."""
        low, high = self._ends
        return max(low, min(0.0, high))

    def __call__(self, out: Array, rng: np.random.Generator) -> None:
        """Draw a block at a time: it takes several arrays of the block's size."""
        for (block,) in blocks(out):
            block[...] = self._draw(block.size, rng)

    def _draw(self, size: int, rng: np.random.Generator) -> Array:
        """Draw evenly where there is any density, and keep as many as the density says: what was not kept is
        drawn again.
        """
        low, high = self._ends
        peak = self._peak
        reach = math.hypot(peak, math.sqrt(2 * FAINTEST))
        values = np.empty(size)
        missing = np.arange(size)
        while missing.size:
            drawn = rng.uniform(max(low, -reach), min(high, reach), missing.size)
            density = np.exp((peak - drawn) * (peak + drawn) / 2)
            kept = rng.random(missing.size) < density
            values[missing[kept]] = drawn[kept]
            missing = missing[~kept]
        return np.clip(self.mean + self.std * values, self.a, self.b)
