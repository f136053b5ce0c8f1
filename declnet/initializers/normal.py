"""normal_: Gauss's distribution."""

from __future__ import annotations

from typing import ClassVar, Literal, final

import numpy as np
from pydantic import NonNegativeFloat

from declnet.core import laws
from declnet.core.initializer import GENERATOR, Initialization
from declnet.core.registry import initializers
from declnet.core.spec import Array


@initializers.register
@final
class Normal(Initialization):
    """Draws each value from the normal distribution N(mean, std²).

    Shape:
        Any.

    Parameters:
        mean: the mean.
        std: the standard deviation.

    Reference: https://docs.pytorch.org/docs/2.13/nn.init.html#torch.nn.init.normal_
    """

    pytorch = "torch.nn.init.normal_"
    refused: ClassVar[dict[str, str]] = GENERATOR

    type: Literal["normal_"] = "normal_"
    mean: float = 0.0
    std: NonNegativeFloat = 1.0

    def __call__(self, out: Array, rng: np.random.Generator) -> None:
        """Draw."""
        laws.Normal(self.mean, self.std)(out, rng)
