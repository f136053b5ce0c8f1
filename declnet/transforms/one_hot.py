"""OneHot: a number for each category, 1 for that of the cell."""

from __future__ import annotations

from typing import Annotated, Literal, final

import numpy as np
from pydantic import Field

from declnet.core.registry import transforms
from declnet.core.spec import Array, Spec
from declnet.core.transform import Cells, Rows, State
from declnet.errors import ShapeError
from declnet.transforms.vocabulary import Listed, OfTexts, as_texts, places, unpacked


@transforms.register
@final
class OneHot(OfTexts):
    """A number for each category: output[i] = 1 where the cell is category i, else 0.

    How many categories there are is in the config, so that the network's shape is known before a row is read. Those
    of the training rows are taken in alphabetical order, whole numbers by size. A cell that is none of them is 0
    throughout, a missing one is a mistake: Impute fills it in.

    Shape:
        input: texts or integers, one value a row or a list of columns. output: floats, categories for each column,
        one column after another.

    Parameters:
        categories: how many there are at most in each column, or a list of them.

    Raises:
        ConfigError: a category is listed twice.
        ShapeError: a row is no single value or list of columns.
        DataError: the training rows have more categories.

    Reference: https://scikit-learn.org/stable/modules/generated/sklearn.preprocessing.OneHotEncoder.html
    """

    type: Literal["OneHot"] = "OneHot"
    categories: Annotated[int, Field(ge=1)] | Listed

    @property
    def _width(self) -> int:
        return self.categories if isinstance(self.categories, int) else len(self.categories)

    def becomes(self, cells: Cells) -> Cells:
        """A vector."""
        if cells.shape not in ((), (cells.columns,)):
            raise ShapeError(
                f"OneHot takes one value a row, or a list of columns, and a row is {Spec(cells.shape)}"
            )
        return Cells((cells.columns * self._width,))

    def apply(self, rows: Rows, state: State, cells: Cells) -> Array:
        """Ones at the places of the texts."""
        found = places(as_texts(rows), unpacked(state)).reshape(len(rows), cells.columns)
        output = np.zeros((len(rows), cells.columns, self._width))
        row, column = np.nonzero(found >= 0)
        output[row, column, found[row, column]] = 1
        return output.reshape(len(rows), -1)
