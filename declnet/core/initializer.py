"""placeholder until merge"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from declnet.core.component import Component
from declnet.core.spec import Array


class Initialization(Component, ABC):
    """How a parameter gets its first values."""

    def check(self, shape: tuple[int, ...]) -> None:
        """Refuse a shape."""

    @abstractmethod
    def __call__(self, out: Array, rng: np.random.Generator) -> None:
        """Fill."""
