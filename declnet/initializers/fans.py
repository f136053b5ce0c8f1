"""Spreads that follow from a weight's fans, and from the activation that comes after it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Final, Literal

from declnet.core.initializer import Initialization
from declnet.core.laws import Uniform, fan_in

Nonlinearity = Literal[
    "linear",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "sigmoid",
    "tanh",
    "relu",
    "leaky_relu",
    "selu",
]
"""What may come after a weight, by the names in PyTorch's nn.functional."""

GAINS: Final[dict[str, float]] = {"tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}
"""The gains that are neither 1 nor, as leaky_relu's, a question of a slope."""


def gain(nonlinearity: Nonlinearity, slope: float = 0.01) -> float:
    """How much wider a weight must be spread to make up for what the activation takes: PyTorch's calculate_gain.

    slope is leaky_relu's for negative inputs, of no effect on the others.
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + slope * slope))
    return GAINS.get(nonlinearity, 1.0)


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """The inputs that feed one output of a weight `(out, in, *kernel)`, and the outputs that one input feeds."""
    return fan_in(shape), shape[0] * math.prod(shape[2:])


def centred_uniform(std: float) -> Uniform:
    """The uniform distribution around 0 with this standard deviation."""
    bound = math.sqrt(3) * std
    return Uniform(-bound, bound)


class Scaled(Initialization, ABC):
    """A spread that follows from the fans, which a parameter of fewer than two dimensions does not have."""

    dimensions: ClassVar[tuple[int, float]] = (2, math.inf)

    @abstractmethod
    def std(self, shape: Sequence[int]) -> float:
        """The standard deviation for a weight of this shape; any number where it is empty."""
