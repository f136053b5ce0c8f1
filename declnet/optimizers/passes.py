"""What several optimizers do to a block, in place, each as PyTorch orders its roundings."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Protocol, TypeAlias

import numpy as np

from declnet.core.spec import Array

DType: TypeAlias = "np.dtype[Any]"


def constants(dtype: DType, *values: float) -> tuple[Array, ...]:
    """Numbers as arrays without dimensions: NumPy takes those up faster than numbers, its own or Python's."""
    return tuple(np.array(value, dtype) for value in values)


class Penalized(Protocol):
    """The settings that a `Prologue` reads."""

    @property
    def lr(self) -> float:
        """Learning rate."""

    @property
    def weight_decay(self) -> float:
        """Weight decay."""

    @property
    def maximize(self) -> bool:
        """Climb instead of descend."""


class Prologue:
    """What comes before the formula: the gradient turned round to climb, and weight decay.

    Decay is a penalty in the gradient, `grad + weight_decay * param`; decoupled, it shrinks the parameters
    themselves by `lr * weight_decay`.
    """

    __slots__ = ("_decay", "_maximize", "_shrink")

    def __init__(self, dtype: DType, settings: Penalized, *, decoupled: bool = False) -> None:
        self._maximize = settings.maximize
        self._decay = self._shrink = None
        if settings.weight_decay and decoupled:
            self._shrink = np.array(1 - settings.lr * settings.weight_decay, dtype)
        elif settings.weight_decay:
            self._decay = np.array(settings.weight_decay, dtype)

    def __call__(self, param: Array, grad: Array, work: Array) -> None:
        """Change a block's gradient, or its parameters."""
        if self._shrink is not None:
            np.multiply(param, self._shrink, out=param)
        if self._decay is not None:
            np.multiply(param, self._decay, out=work)
            if self._maximize:
                np.subtract(work, grad, out=grad)
            else:
                np.add(grad, work, out=grad)
        elif self._maximize:
            np.negative(grad, out=grad)


class RunningMean:
    """mean += weight * (value - mean), reckoned from the nearer end as torch.lerp does: a weight of 1 gives the
    value itself, however far off the mean was.
    """

    __slots__ = ("_factor", "_near")

    def __init__(self, dtype: DType, weight: float) -> None:
        self._near = abs(weight) < 0.5
        rounded = np.array(weight, dtype)
        self._factor = rounded if self._near else np.array(1 - rounded)

    def __call__(self, mean: Array, value: Array, work: Array) -> None:
        """Move a block's mean."""
        np.subtract(value, mean, out=work)
        np.multiply(work, self._factor, out=work)
        if self._near:
            np.add(mean, work, out=mean)
        else:
            np.subtract(value, work, out=mean)


class RunningSquare:
    """mean = keep * mean + (1 - keep) * value²."""

    __slots__ = ("_keep", "_take")

    def __init__(self, dtype: DType, keep: float) -> None:
        self._keep, self._take = constants(dtype, keep, 1 - keep)

    def __call__(self, mean: Array, value: Array, work: Array) -> None:
        """Move a block's mean. The share comes before the square, which overflows later for it."""
        np.multiply(value, self._take, out=work)
        np.multiply(work, value, out=work)
        np.multiply(mean, self._keep, out=mean)
        np.add(mean, work, out=mean)


running_mean = lru_cache(maxsize=64)(RunningMean)
running_square = lru_cache(maxsize=64)(RunningSquare)
"""As the classes; the same ones as long as the settings are: for small parameters making them anew counts."""
