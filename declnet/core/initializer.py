"""The initializer contract: first values that a config asks for, in place of a component's own."""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from declnet.core.component import Component
from declnet.core.spec import Array, Spec
from declnet.errors import ShapeError

GENERATOR = {"generator": "what is drawn follows from the config's seed"}
"""Why nothing takes PyTorch's generator."""


class Initialization(Component, ABC):
    """A law that a config names: it fills a parameter of a shape that `check` lets pass."""

    dimensions: ClassVar[tuple[int, float]] = (0, float("inf"))
    """The fewest and the most dimensions of a parameter that it can fill."""

    def check(self, shape: tuple[int, ...]) -> None:
        """Raise a `ShapeError` where it cannot fill a parameter of this shape."""
        least, most = self.dimensions
        if not least <= len(shape) <= most:
            if least == most:
                wanted = f"{least}"
            else:
                wanted = f"at least {least}" if most == float("inf") else f"{least} to {most}"
            raise ShapeError(
                f"{self.type} fills parameters of {wanted} dimensions, but the shape {Spec(shape)} has "
                f"{len(shape)}; take another initializer there, such as uniform_, normal_ or zeros_"
            )

    @abstractmethod
    def __call__(self, out: Array, rng: "np.random.Generator") -> None:
        """Write the first values into `out`, drawing only from `rng`, in float64 whatever the dtype of `out`."""
