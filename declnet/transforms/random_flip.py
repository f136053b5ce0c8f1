"""RandomFlip: rows mirrored at random."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, final

import numpy as np
from pydantic import Field

from declnet.core.registry import transforms
from declnet.core.spec import Array, Spec
from declnet.core.transform import Cells, Rows, State, Transform
from declnet.errors import ShapeError


@transforms.register
@final
class RandomFlip(Transform):
    """Each row mirrored with probability p, drawn for each batch anew; in evaluation none is.

    Training batches alone are random. What is mirrored comes from the run's own random numbers: a run that goes on
    after a stop draws the same.

    Shape:
        input: numbers of one dimension or more. output: the same.

    Parameters:
        p: the probability.
        dimension: of a row, the dimension of rows not counted: -1 mirrors left and right, -2 top and bottom.

    Raises:
        ShapeError: a row has no such dimension.

    Reference: https://docs.pytorch.org/vision/stable/generated/torchvision.transforms.RandomHorizontalFlip.html
    """

    augments: ClassVar[bool] = True

    type: Literal["RandomFlip"] = "RandomFlip"
    p: Annotated[float, Field(ge=0, le=1)] = 0.5
    dimension: int = -1

    def becomes(self, cells: Cells) -> Cells:
        """The same."""
        count = len(cells.shape)
        if not -count <= self.dimension < count:
            raise ShapeError(
                f"RandomFlip has no dimension {self.dimension} to mirror: a row is {Spec(cells.shape)}",
                field="dimension",
            )
        return cells

    def apply(self, rows: Rows, state: State, cells: Cells) -> Array:
        """Nothing."""
        return np.asarray(rows)

    def augment(self, rows: Array, rng: np.random.Generator) -> Array:
        """Mirror some."""
        found = rows.copy()
        chosen = rng.random(len(rows)) < self.p
        axis = self.dimension if self.dimension < 0 else self.dimension + 1
        found[chosen] = np.flip(rows[chosen], axis)
        return found
