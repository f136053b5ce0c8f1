"""Category: the number of a category, for an Embedding."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar, Literal, final

import numpy as np
from pydantic import Field

from declnet.core.registry import transforms
from declnet.core.spec import Array
from declnet.core.transform import Cells, Rows, State
from declnet.transforms.vocabulary import Listed, OfTexts, as_texts, places, unpacked


@transforms.register
@final
class Category(OfTexts):
    """The number of a category: output = 1 to n, and 0 for a cell that is missing or of none of the n.

    What an Embedding of n + 1 vectors reads. The categories of the training rows are numbered in alphabetical
    order, whole numbers by size; of a list of columns each has its own.

    Shape:
        input: texts or integers of any shape. output: integers of the same shape.

    Parameters:
        categories: the categories in their order, or how many there are at most; left out: those of the training
            rows.

    Raises:
        ConfigError: a category is listed twice.
        DataError: the training rows have more categories.

    Reference: https://scikit-learn.org/stable/modules/generated/sklearn.preprocessing.OrdinalEncoder.html
    """

    fills: ClassVar[bool] = True

    type: Literal["Category"] = "Category"
    categories: Annotated[int, Field(ge=1)] | Listed | None = None

    def becomes(self, cells: Cells) -> Cells:
        """Integers."""
        return replace(cells, kind="int")

    def apply(self, rows: Rows, state: State, cells: Cells) -> Array:
        """One more than the place, and 0 where there is none."""
        found: Array = np.maximum(places(as_texts(rows), unpacked(state)), -1) + 1
        return found

    def indices(self, state: State) -> int:
        """The categories of the column that has most, and 0."""
        return int(state["counts"].max()) + 1
