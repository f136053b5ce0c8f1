"""What transforms of numbers share: float64 in, float64 out, and no cell may be missing."""

from __future__ import annotations

from abc import ABC
from dataclasses import replace

import numpy as np

from declnet.core.spec import Array
from declnet.core.transform import Cells, Rows, Transform


def numbers(rows: Rows) -> Array:
    """Rows of numbers in float64."""
    return np.asarray(rows, np.float64)


class OfNumbers(Transform, ABC):
    """Numbers of the same shape come out."""

    def becomes(self, cells: Cells) -> Cells:
        """Floating-point numbers."""
        return replace(cells, kind="float")
