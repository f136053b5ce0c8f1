"""Log1p: the logarithm of 1 + x."""

from __future__ import annotations

from typing import ClassVar, Literal, final

import numpy as np

from declnet.core.registry import transforms
from declnet.core.spec import Array
from declnet.core.transform import Cells, Misfit, Rows, State, first
from declnet.transforms.numbers import OfNumbers, numbers


@transforms.register
@final
class Log1p(OfNumbers):
    """The natural logarithm of one more: output = log(1 + input), for amounts that differ by powers of ten.

    Predictions of a target are put back into its own units.

    Shape:
        input: numbers above -1, of any shape. output: floats of the same shape.

    Parameters:
        none.

    Raises:
        DataError: a number is -1 or less.

    Reference: https://numpy.org/doc/stable/reference/generated/numpy.log1p.html
    """

    invertible: ClassVar[bool] = True

    type: Literal["Log1p"] = "Log1p"

    def apply(self, rows: Rows, state: State, cells: Cells) -> Array:
        """Where there is a logarithm."""
        values = numbers(rows)
        wrong = values <= -1
        if wrong.any():
            place = first(wrong)
            raise Misfit(f"Log1p takes numbers above -1, and this is {values[place]:g}", place)
        return np.log1p(values)

    def invert(self, values: Array, state: State, cells: Cells) -> Array:
        """exp(x) - 1."""
        return np.expm1(values)
