"""Cast: the same numbers as another kind."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal, final

import numpy as np

from declnet.core.registry import transforms
from declnet.core.spec import Array
from declnet.core.transform import Cells, Misfit, Rows, State, Transform, first


@transforms.register
@final
class Cast(Transform):
    """The same numbers as another kind: output = input, as floats of the config's dtype, or as 64-bit integers.

    So class labels become what a loss of one number a row reads: [ClassLabels, {type: Cast, dtype: float}].

    Shape:
        input: numbers of any shape. output: numbers of the same shape.

    Parameters:
        dtype: float, or int64 for indices.

    Raises:
        DataError: a number to become an integer is none.

    Reference: https://numpy.org/doc/stable/reference/generated/numpy.ndarray.astype.html
    """

    invertible: ClassVar[bool] = True

    type: Literal["Cast"] = "Cast"
    dtype: Literal["float", "int64"]

    def becomes(self, cells: Cells) -> Cells:
        """The other kind."""
        return replace(cells, kind="int" if self.dtype == "int64" else "float")

    def apply(self, rows: Rows, state: State, cells: Cells) -> Array:
        """As NumPy casts, but what is lost is a mistake."""
        values = np.asarray(rows)
        if self.dtype == "float":
            return values.astype(np.float64)
        if values.dtype.kind == "f":
            wrong = (values != np.floor(values)) | (np.abs(values) >= 2**63)
            if wrong.any():
                place = first(wrong)
                raise Misfit(f"Cast to int64 takes integers, and this is {values[place]:g}", place)
        return values.astype(np.int64)

    def invert(self, values: Array, state: State, cells: Cells) -> Array:
        """The numbers are the same ones."""
        return values
