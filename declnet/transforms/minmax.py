"""MinMax: from the smallest and the largest number to a range."""

from __future__ import annotations

from typing import ClassVar, Literal, Self, final

import numpy as np
from pydantic import model_validator

from declnet.core.registry import transforms
from declnet.core.spec import Array
from declnet.core.transform import Cells, Passes, Rows, State, StateSpec
from declnet.transforms.numbers import OfNumbers, numbers


@transforms.register
@final
class MinMax(OfNumbers):
    """Into a range: output = (input - min) / (max - min) * (high - low) + low, min and max of the training rows.

    Each column has its own; of pictures (C, H, W) each channel has. A column that is the same in all training rows
    becomes low there. Other rows may be outside the range. Predictions of a target are put back into its own units.

    Shape:
        input: numbers of any shape. output: floats of the same shape.

    Parameters:
        feature_range: low and high.

    Raises:
        ConfigError: the range is empty.

    Reference: https://scikit-learn.org/stable/modules/generated/sklearn.preprocessing.MinMaxScaler.html
    """

    invertible: ClassVar[bool] = True

    type: Literal["MinMax"] = "MinMax"
    feature_range: tuple[float, float] = (0.0, 1.0)

    @model_validator(mode="after")
    def _wide(self) -> Self:
        low, high = self.feature_range
        if low >= high:
            raise ValueError(f"feature_range goes from low to high, got {low:g} and {high:g}")
        return self

    def learned(self, cells: Cells) -> dict[str, StateSpec]:
        """Minimum and width of each part."""
        return {"min": StateSpec((cells.parts,)), "range": StateSpec((cells.parts,))}

    def fit(self, rows: Passes, cells: Cells) -> dict[str, Array]:
        """The smallest and the largest, block by block."""
        low, high = np.full(cells.parts, np.inf), np.full(cells.parts, -np.inf)
        for block in rows():
            values = cells.by_part(numbers(block))
            np.minimum(low, values.min(axis=(0, 2)), out=low)
            np.maximum(high, values.max(axis=(0, 2)), out=high)
        return {"min": low, "range": np.where(high == low, 1.0, high - low)}

    def apply(self, rows: Rows, state: State, cells: Cells) -> Array:
        """To 0 to 1, and on to the range."""
        low, high = self.feature_range
        share = (numbers(rows) - cells.spread(state["min"])) / cells.spread(state["range"])
        found: Array = share * (high - low) + low
        return found

    def invert(self, values: Array, state: State, cells: Cells) -> Array:
        """The same way back."""
        low, high = self.feature_range
        share = (values - low) / (high - low)
        found: Array = share * cells.spread(state["range"]) + cells.spread(state["min"])
        return found
