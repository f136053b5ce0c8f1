"""Scale: a factor and an offset that the config knows."""

from __future__ import annotations

from typing import ClassVar, Literal, Self, final

from pydantic import model_validator

from declnet.core.registry import transforms
from declnet.core.spec import Array
from declnet.core.transform import Cells, Rows, State
from declnet.transforms.numbers import OfNumbers, numbers


@transforms.register
@final
class Scale(OfNumbers):
    """A factor, then an offset: output = input * factor + offset. Nothing is learned from the rows.

    Predictions of a target are put back into its own units.

    Shape:
        input: numbers of any shape. output: floats of the same shape.

    Parameters:
        factor: what numbers are multiplied with, not 0.
        offset: what is then added.

    Raises:
        ConfigError: the factor is 0.

    Reference: https://docs.pytorch.org/vision/stable/generated/torchvision.transforms.Normalize.html
    """

    invertible: ClassVar[bool] = True

    type: Literal["Scale"] = "Scale"
    factor: float = 1.0
    offset: float = 0.0

    @model_validator(mode="after")
    def _not_zero(self) -> Self:
        if self.factor == 0:
            raise ValueError("factor 0 makes all numbers equal; leave the field out instead")
        return self

    def apply(self, rows: Rows, state: State, cells: Cells) -> Array:
        """Multiply and add."""
        return numbers(rows) * self.factor + self.offset

    def invert(self, values: Array, state: State, cells: Cells) -> Array:
        """Subtract and divide."""
        return (values - self.offset) / self.factor
