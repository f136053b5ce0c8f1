"""kaiming_uniform_ and kaiming_normal_: activations or gradients keep their spread through rectifiers."""

from __future__ import annotations

import math
from abc import ABC
from collections.abc import Sequence
from typing import ClassVar, Literal, final

import numpy as np

from declnet.core.initializer import GENERATOR
from declnet.core.laws import Normal
from declnet.core.registry import initializers
from declnet.core.spec import Array
from declnet.initializers.fans import Nonlinearity, Scaled, centred_uniform, fans, gain


class _Kaiming(Scaled, ABC):
    """std = gain / sqrt(fan)."""

    refused: ClassVar[dict[str, str]] = GENERATOR

    a: float = 0.0
    mode: Literal["fan_in", "fan_out"] = "fan_in"
    nonlinearity: Nonlinearity = "leaky_relu"

    def std(self, shape: Sequence[int]) -> float:
        """What one of the fans demands."""
        fan_in, fan_out = fans(shape)
        fan = fan_in if self.mode == "fan_in" else fan_out
        return gain(self.nonlinearity, self.a) / math.sqrt(max(fan, 1))


@initializers.register
@final
class KaimingUniform(_Kaiming):
    """Draws from U(-bound, bound) with bound = gain * sqrt(3 / fan).

    Of a weight (out, in, *kernel), fan_in is in times the kernel's size, and fan_out out times that. gain is
    sqrt(2 / (1 + a²)) for leaky_relu, sqrt(2) for relu, 5/3 for tanh, 3/4 for selu, and 1 for the rest.

    Shape:
        At least 2 dimensions.

    Parameters:
        a: the slope of leaky_relu for negative inputs; of no effect on other nonlinearities.
        mode: fan_in to keep the spread of activations, fan_out to keep that of gradients.
        nonlinearity: the activation that comes after.

    Raises:
        ShapeError: the parameter has fewer than 2 dimensions.

    Reference: https://docs.pytorch.org/docs/2.13/nn.init.html#torch.nn.init.kaiming_uniform_;
        He et al., "Delving deep into rectifiers", 2015.
    """

    pytorch = "torch.nn.init.kaiming_uniform_"

    type: Literal["kaiming_uniform_"] = "kaiming_uniform_"

    def __call__(self, out: Array, rng: np.random.Generator) -> None:
        """Draw."""
        centred_uniform(self.std(out.shape))(out, rng)


@initializers.register
@final
class KaimingNormal(_Kaiming):
    """Draws from N(0, std²) with std = gain / sqrt(fan).

    Of a weight (out, in, *kernel), fan_in is in times the kernel's size, and fan_out out times that. gain is
    sqrt(2 / (1 + a²)) for leaky_relu, sqrt(2) for relu, 5/3 for tanh, 3/4 for selu, and 1 for the rest.

    Shape:
        At least 2 dimensions.

    Parameters:
        a: the slope of leaky_relu for negative inputs; of no effect on other nonlinearities.
        mode: fan_in to keep the spread of activations, fan_out to keep that of gradients.
        nonlinearity: the activation that comes after.

    Raises:
        ShapeError: the parameter has fewer than 2 dimensions.

    Reference: https://docs.pytorch.org/docs/2.13/nn.init.html#torch.nn.init.kaiming_normal_;
        He et al., "Delving deep into rectifiers", 2015.
    """

    pytorch = "torch.nn.init.kaiming_normal_"

    type: Literal["kaiming_normal_"] = "kaiming_normal_"

    def __call__(self, out: Array, rng: np.random.Generator) -> None:
        """Draw."""
        Normal(0, self.std(out.shape))(out, rng)
