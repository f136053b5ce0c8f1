"""Standardize: mean 0, standard deviation 1."""

from __future__ import annotations

import sys
from typing import ClassVar, Literal, final

import numpy as np

from declnet.core.registry import transforms
from declnet.core.spec import Array
from declnet.core.transform import Cells, Passes, Rows, State, StateSpec
from declnet.transforms.numbers import OfNumbers, numbers

EPS = sys.float_info.epsilon


@transforms.register
@final
class Standardize(OfNumbers):
    """Mean 0 and standard deviation 1: output = (input - mean) / std, both of the training rows.

    Each column has its own; of pictures (C, H, W) each channel has, and in general each index of the first
    dimension. A column that is the same in all training rows is only centred. Predictions of a target are put back
    into its own units.

    Shape:
        input: numbers of any shape. output: floats of the same shape.

    Parameters:
        none.

    Reference: https://scikit-learn.org/stable/modules/generated/sklearn.preprocessing.StandardScaler.html
    """

    invertible: ClassVar[bool] = True

    type: Literal["Standardize"] = "Standardize"

    def learned(self, cells: Cells) -> dict[str, StateSpec]:
        """Mean and divisor of each part."""
        return {"mean": StateSpec((cells.parts,)), "scale": StateSpec((cells.parts,))}

    def fit(self, rows: Passes, cells: Cells) -> dict[str, Array]:
        """Block by block: what blocks' means and sums of squares are together (Chan, Golub and LeVeque, 1979)."""
        count = 0
        mean, squares = np.zeros((2, cells.parts))
        for block in rows():
            values = cells.by_part(numbers(block)).swapaxes(0, 1).reshape(cells.parts, -1)  # (parts, numbers)
            size = values.shape[1]
            own = values.mean(axis=1)
            apart = own - mean
            squares += np.square(values - own[:, None]).sum(axis=1) + np.square(apart) * (
                count * size / (count + size)
            )
            count += size
            mean += apart * (size / count)
        variance = squares / count
        # What rounding alone makes of equal numbers is no deviation.
        constant = variance <= count * EPS * variance + np.square(count * mean * EPS)
        return {"mean": mean, "scale": np.where(constant, 1.0, np.sqrt(variance))}

    def apply(self, rows: Rows, state: State, cells: Cells) -> Array:
        """Subtract and divide."""
        found: Array = (numbers(rows) - cells.spread(state["mean"])) / cells.spread(state["scale"])
        return found

    def invert(self, values: Array, state: State, cells: Cells) -> Array:
        """Multiply and add."""
        found: Array = values * cells.spread(state["scale"]) + cells.spread(state["mean"])
        return found
