"""Flatten and Reshape: the same numbers of a row in another shape."""

from __future__ import annotations

import math
from abc import ABC
from dataclasses import replace
from typing import Literal, final

import numpy as np

from declnet.core.registry import transforms
from declnet.core.spec import Array, Spec
from declnet.core.transform import Cells, Rows, State, Transform
from declnet.errors import ShapeError
from declnet.operations.reshape import Sizes, fill


class _Shaped(Transform, ABC):
    """Another shape."""

    def apply(self, rows: Rows, state: State, cells: Cells) -> Array:
        """A view, where there can be one."""
        return np.asarray(rows).reshape(len(rows), *self.becomes(cells).shape)


@transforms.register
@final
class Flatten(_Shaped):
    """All numbers of a row as one vector: output = input.reshape(N, -1).

    Shape:
        input: (*), any shape of a row. output: (prod(*),), the same kind of numbers.

    Parameters:
        none.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.flatten.html
    """

    type: Literal["Flatten"] = "Flatten"

    def becomes(self, cells: Cells) -> Cells:
        """A vector."""
        return replace(cells, shape=(math.prod(cells.shape),), columns=1)


@transforms.register
@final
class Reshape(_Shaped):
    """The numbers of a row in another shape: output = input.reshape(N, *shape).

    Shape:
        input: (*), any shape of a row. output: (shape), the same kind of numbers.

    Parameters:
        shape: of one row, without the dimension of rows; one size may be -1, which is then found from the others.

    Raises:
        ShapeError: a row has not as many numbers.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.reshape.html
    """

    type: Literal["Reshape"] = "Reshape"
    shape: Sizes

    def becomes(self, cells: Cells) -> Cells:
        """What the shape says."""
        size = math.prod(cells.shape)
        found = fill(self.shape, size)
        if found is None:
            raise ShapeError(
                f"Reshape cannot make {Spec(self.shape)} of a row {Spec(cells.shape)}, {size} numbers",
                field="shape",
            )
        return replace(cells, shape=found, columns=1)
