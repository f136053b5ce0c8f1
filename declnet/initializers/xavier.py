"""xavier_uniform_ and xavier_normal_: activations and gradients keep their spread from layer to layer."""

from __future__ import annotations

import math
from abc import ABC
from collections.abc import Sequence
from typing import ClassVar, Literal, final

import numpy as np
from pydantic import NonNegativeFloat

from declnet.core.initializer import GENERATOR
from declnet.core.laws import Normal
from declnet.core.registry import initializers
from declnet.core.spec import Array
from declnet.initializers.fans import Scaled, centred_uniform, fans


class _Xavier(Scaled, ABC):
    """std = gain * sqrt(2 / (fan_in + fan_out))."""

    refused: ClassVar[dict[str, str]] = GENERATOR

    gain: NonNegativeFloat = 1.0

    def std(self, shape: Sequence[int]) -> float:
        """The mean of both fans' demands."""
        return self.gain * math.sqrt(2 / max(sum(fans(shape)), 1))


@initializers.register
@final
class XavierUniform(_Xavier):
    """Draws from U(-bound, bound) with bound = gain * sqrt(6 / (fan_in + fan_out)).

    Of a weight (out, in, *kernel), fan_in is in times the kernel's size, and fan_out out times that.

    Shape:
        At least 2 dimensions.

    Parameters:
        gain: what the bound is multiplied with, for the activation that comes after.

    Raises:
        ShapeError: the parameter has fewer than 2 dimensions.

    Reference: https://docs.pytorch.org/docs/2.13/nn.init.html#torch.nn.init.xavier_uniform_;
        Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.
    """

    pytorch = "torch.nn.init.xavier_uniform_"

    type: Literal["xavier_uniform_"] = "xavier_uniform_"

    def __call__(self, out: Array, rng: np.random.Generator) -> None:
        """Draw."""
        centred_uniform(self.std(out.shape))(out, rng)


@initializers.register
@final
class XavierNormal(_Xavier):
    """Draws from N(0, std²) with std = gain * sqrt(2 / (fan_in + fan_out)).

    Of a weight (out, in, *kernel), fan_in is in times the kernel's size, and fan_out out times that.

    Shape:
        At least 2 dimensions.

    Parameters:
        gain: what std is multiplied with, for the activation that comes after.

    Raises:
        ShapeError: the parameter has fewer than 2 dimensions.

    Reference: https://docs.pytorch.org/docs/2.13/nn.init.html#torch.nn.init.xavier_normal_;
        Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.
    """

    pytorch = "torch.nn.init.xavier_normal_"

    type: Literal["xavier_normal_"] = "xavier_normal_"

    def __call__(self, out: Array, rng: np.random.Generator) -> None:
        """Draw."""
        Normal(0, self.std(out.shape))(out, rng)
