"""orthogonal_: a rotation, or as much of one as the shape has room for."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, final

import numpy as np

from declnet.core.initializer import GENERATOR, Initialization
from declnet.core.registry import initializers
from declnet.core.spec import Array


@initializers.register
@final
class Orthogonal(Initialization):
    """Draws a matrix with orthonormal columns, or rows if these are fewer, times gain; each is as likely.

    It is the Q of a QR factorisation of draws from N(0, 1). The signs of the columns are chosen so that R's
    diagonal is positive: without that, not all rotations are equally likely.

    Shape:
        At least 2 dimensions; all after the first count as one.

    Parameters:
        gain: the length of each row or column.

    Raises:
        ShapeError: the parameter has fewer than 2 dimensions.

    Reference: https://docs.pytorch.org/docs/2.13/nn.init.html#torch.nn.init.orthogonal_;
        Saxe et al., "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks", 2014;
        Mezzadri, "How to generate random matrices from the classical compact groups", 2007.
    """

    pytorch = "torch.nn.init.orthogonal_"
    refused: ClassVar[dict[str, str]] = GENERATOR
    dimensions: ClassVar[tuple[int, float]] = (2, math.inf)

    type: Literal["orthogonal_"] = "orthogonal_"
    gain: float = 1.0

    def __call__(self, out: Array, rng: np.random.Generator) -> None:
        """Draw and factorise; a wide matrix is a tall one on its side."""
        rows, columns = len(out), math.prod(out.shape[1:])
        q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
        q *= self.gain * np.sign(np.diagonal(r))
        out[...] = (q.T if rows < columns else q).reshape(out.shape)
