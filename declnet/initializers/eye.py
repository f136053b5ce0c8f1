"""eye_ and dirac_: weights that pass on what comes in."""

from __future__ import annotations

from typing import ClassVar, Literal, final

import numpy as np
from pydantic import PositiveInt

from declnet.core.initializer import Initialization
from declnet.core.registry import initializers
from declnet.core.spec import Array, Spec
from declnet.errors import ShapeError


@initializers.register
@final
class Eye(Initialization):
    """Fills with the identity matrix: out[i, j] = 1 where i = j, else 0.

    A Linear with this weight passes on as many of its inputs as it has outputs for.

    Shape:
        2 dimensions, which need not be equal.

    Parameters:
        none.

    Raises:
        ShapeError: the parameter does not have 2 dimensions.

    Reference: https://docs.pytorch.org/docs/2.13/nn.init.html#torch.nn.init.eye_
    """

    pytorch = "torch.nn.init.eye_"
    dimensions: ClassVar[tuple[int, float]] = (2, 2)

    type: Literal["eye_"] = "eye_"

    def __call__(self, out: Array, rng: np.random.Generator) -> None:
        """Draw nothing."""
        out[...] = np.eye(*out.shape)


@initializers.register
@final
class Dirac(Initialization):
    """Fills with Dirac's delta: 1 in the middle of the kernel from input channel i to output channel i, else 0.

    A convolution with this weight passes on as many of its input channels as it has output channels for, in
    each of its groups. The middle of a kernel of even size is the later one.

    Shape:
        (out, in, *kernel) of 3 to 5 dimensions.

    Parameters:
        groups: the groups of the convolution.

    Raises:
        ShapeError: the parameter does not have 3 to 5 dimensions, or groups does not divide the first.

    Reference: https://docs.pytorch.org/docs/2.13/nn.init.html#torch.nn.init.dirac_
    """

    pytorch = "torch.nn.init.dirac_"
    dimensions: ClassVar[tuple[int, float]] = (3, 5)

    type: Literal["dirac_"] = "dirac_"
    groups: PositiveInt = 1

    def check(self, shape: tuple[int, ...]) -> None:
        """Three to five dimensions, and channels that groups divides."""
        super().check(shape)
        if shape[0] % self.groups:
            raise ShapeError(
                f"dirac_ with groups: {self.groups} fills parameters whose first size is a multiple of "
                f"{self.groups}, but the shape is {Spec(shape)}; take the groups of the convolution"
            )

    def __call__(self, out: Array, rng: np.random.Generator) -> None:
        """Draw nothing."""
        out[...] = 0
        if out.size == 0:
            return  # a kernel of size 0 has no middle
        channels = len(out) // self.groups
        first = np.arange(0, len(out), channels)[:, None]
        channel = np.arange(min(channels, out.shape[1]))
        middle = tuple(size // 2 for size in out.shape[2:])
        out[(first + channel, channel, *middle)] = 1
