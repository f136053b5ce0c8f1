"""RandomCrop: pictures cut out at random."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal, final

import numpy as np
from pydantic import NonNegativeInt, PositiveInt

from declnet.core.registry import transforms
from declnet.core.spec import Array, Spec
from declnet.core.transform import Cells, Rows, State, Transform
from declnet.errors import ShapeError


@transforms.register
@final
class RandomCrop(Transform):
    """A part of each picture, at a place drawn for each row and batch anew; in evaluation the middle.

    Training batches alone are random. The places come from the run's own random numbers: a run that goes on after a
    stop draws the same.

    Shape:
        input: (*, H, W) numbers. output: (*, height, width), the same kind.

    Parameters:
        size: height and width of the part, or one number for both.
        padding: rows and columns of zeros that are first put around the picture, on each side.

    Raises:
        ShapeError: a row is no picture, or smaller than the part.

    Reference: https://docs.pytorch.org/vision/stable/generated/torchvision.transforms.RandomCrop.html
    """

    augments: ClassVar[bool] = True

    type: Literal["RandomCrop"] = "RandomCrop"
    size: PositiveInt | tuple[PositiveInt, PositiveInt]
    padding: NonNegativeInt = 0

    @property
    def _size(self) -> tuple[int, int]:
        return (self.size, self.size) if isinstance(self.size, int) else self.size

    def becomes(self, cells: Cells) -> Cells:
        """Pictures of the size."""
        if len(cells.shape) < 2:
            raise ShapeError(f"RandomCrop takes pictures (C, H, W), and a row is {Spec(cells.shape)}")
        height, width = (length + 2 * self.padding for length in cells.shape[-2:])
        if height < self._size[0] or width < self._size[1]:
            around = f", {height} x {width} with the padding" if self.padding else ""
            raise ShapeError(
                f"RandomCrop cannot cut {self._size[0]} x {self._size[1]} out of a row {Spec(cells.shape)}{around}",
                field="size",
            )
        return replace(cells, shape=(*cells.shape[:-2], *self._size), columns=1)

    def apply(self, rows: Rows, state: State, cells: Cells) -> Array:
        """The middle."""
        padded = self._padded(np.asarray(rows))
        top, left = ((have - want) // 2 for have, want in zip(padded.shape[-2:], self._size, strict=True))
        return padded[..., top : top + self._size[0], left : left + self._size[1]]

    def augment(self, rows: Array, rng: np.random.Generator) -> Array:
        """A place for each row."""
        padded = self._padded(rows)
        windows = np.lib.stride_tricks.sliding_window_view(padded, self._size, axis=(-2, -1))
        tops, lefts = (rng.integers(0, count, len(rows)) for count in windows.shape[-4:-2])
        found: Array = windows[np.arange(len(rows)), ..., tops, lefts, :, :]
        return found

    def _padded(self, rows: Array) -> Array:
        if not self.padding:
            return rows
        around = [(0, 0)] * (rows.ndim - 2) + [(self.padding, self.padding)] * 2
        return np.pad(rows, around)
