"""uniform_: every value between two bounds alike."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, Self, final

import numpy as np
from pydantic import model_validator

from declnet.core import laws
from declnet.core.initializer import GENERATOR, Initialization
from declnet.core.registry import initializers
from declnet.core.spec import Array


def check_bounds(a: float, b: float) -> None:
    """Refuse bounds between which nothing can be drawn."""
    if a > b:
        raise ValueError(f"a is the lower bound, so it must be at most b; got a: {a:g} and b: {b:g}")
    if not math.isfinite(b - a):
        raise ValueError(f"a and b are too far apart to draw between them; got a: {a:g} and b: {b:g}")


@initializers.register
@final
class Uniform(Initialization):
    """Draws each value from the uniform distribution U(a, b).

    Shape:
        Any.

    Parameters:
        a: the lower bound.
        b: the upper bound.

    Raises:
        ConfigError: a is greater than b, or b - a is not finite.

    Reference: https://docs.pytorch.org/docs/2.13/nn.init.html#torch.nn.init.uniform_
    """

    pytorch = "torch.nn.init.uniform_"
    refused: ClassVar[dict[str, str]] = GENERATOR

    type: Literal["uniform_"] = "uniform_"
    a: float = 0.0
    b: float = 1.0

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        check_bounds(self.a, self.b)
        return self

    def __call__(self, out: Array, rng: np.random.Generator) -> None:
        """Draw."""
        laws.Uniform(self.a, self.b)(out, rng)
