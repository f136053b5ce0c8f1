"""constant_, ones_ and zeros_: one value everywhere."""

from __future__ import annotations

from typing import Literal, final

import numpy as np

from declnet.core import laws
from declnet.core.initializer import Initialization
from declnet.core.registry import initializers
from declnet.core.spec import Array


@initializers.register
@final
class Constant(Initialization):
    """Fills with one value: out = val.

    Shape:
        Any.

    Parameters:
        val: the value.

    Reference: https://docs.pytorch.org/docs/2.13/nn.init.html#torch.nn.init.constant_
    """

    pytorch = "torch.nn.init.constant_"

    type: Literal["constant_"] = "constant_"
    val: float

    def __call__(self, out: Array, rng: np.random.Generator) -> None:
        """Draw nothing."""
        laws.Constant(self.val)(out, rng)


@initializers.register
@final
class Ones(Initialization):
    """Fills with ones: out = 1.

    Shape:
        Any.

    Parameters:
        none.

    Reference: https://docs.pytorch.org/docs/2.13/nn.init.html#torch.nn.init.ones_
    """

    pytorch = "torch.nn.init.ones_"

    type: Literal["ones_"] = "ones_"

    def __call__(self, out: Array, rng: np.random.Generator) -> None:
        """Draw nothing."""
        laws.Constant(1)(out, rng)


@initializers.register
@final
class Zeros(Initialization):
    """Fills with zeros: out = 0.

    Shape:
        Any.

    Parameters:
        none.

    Reference: https://docs.pytorch.org/docs/2.13/nn.init.html#torch.nn.init.zeros_
    """

    pytorch = "torch.nn.init.zeros_"

    type: Literal["zeros_"] = "zeros_"

    def __call__(self, out: Array, rng: np.random.Generator) -> None:
        """Draw nothing."""
        laws.Constant(0)(out, rng)
