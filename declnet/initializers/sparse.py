"""sparse_: most of each column is zero."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal, final

import numpy as np
from pydantic import Field, NonNegativeFloat

from declnet.core import laws
from declnet.core.initializer import GENERATOR, Initialization
from declnet.core.registry import initializers
from declnet.core.spec import Array


@initializers.register
@final
class Sparse(Initialization):
    """Draws from N(0, std²), then sets ceil(sparsity * rows) elements of each column to 0, chosen at random.

    Shape:
        2 dimensions.

    Parameters:
        sparsity: the share of zeros in each column.
        std: the standard deviation of the rest.

    Raises:
        ConfigError: sparsity is not from 0 to 1, or std is negative.
        ShapeError: the parameter does not have 2 dimensions.

    Reference: https://docs.pytorch.org/docs/2.13/nn.init.html#torch.nn.init.sparse_;
        Martens, "Deep learning via Hessian-free optimization", 2010.
    """

    pytorch = "torch.nn.init.sparse_"
    refused: ClassVar[dict[str, str]] = GENERATOR
    dimensions: ClassVar[tuple[int, float]] = (2, 2)

    type: Literal["sparse_"] = "sparse_"
    sparsity: Annotated[float, Field(ge=0, le=1)]
    std: NonNegativeFloat = 0.01

    def __call__(self, out: Array, rng: np.random.Generator) -> None:
        """Draw, then choose."""
        laws.Normal(0, self.std)(out, rng)
        rows = np.arange(len(out))[:, None] < math.ceil(self.sparsity * len(out))
        out[rng.permuted(np.broadcast_to(rows, out.shape), axis=0)] = 0
