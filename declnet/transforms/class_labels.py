"""ClassLabels: the index of a class, with its name kept."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal, Self, final

import numpy as np
from pydantic import model_validator

from declnet.core.registry import transforms
from declnet.core.spec import Array
from declnet.core.suggest import some
from declnet.core.transform import Cells, Misfit, Passes, Rows, State, StateSpec, Transform, first
from declnet.transforms.vocabulary import (
    UNKNOWN,
    Listed,
    as_texts,
    ordered,
    places,
    require_different,
    texts_of,
    vocabularies,
)


@transforms.register
@final
class ClassLabels(Transform):
    """The index of a class from 0, as CrossEntropyLoss takes it: output = i where the cell is class i.

    The names are kept: predictions, probabilities and confusion matrices are shown with them. The classes are those
    of the training rows in alphabetical order, whole numbers by size. A cell that is none of them is a mistake.

    Shape:
        input: texts or integers of any shape. output: integers of the same shape.

    Parameters:
        classes: their names in order; left out: those of the training rows.

    Raises:
        ConfigError: a class is listed twice.
        DataError: a cell is no class.

    Reference: https://scikit-learn.org/stable/modules/generated/sklearn.preprocessing.LabelEncoder.html
    """

    takes: ClassVar[Literal["number", "text", "any"]] = "text"

    type: Literal["ClassLabels"] = "ClassLabels"
    classes: Listed | None = None

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        require_different("classes", self.classes or ())
        return self

    def becomes(self, cells: Cells) -> Cells:
        """Integers."""
        return replace(cells, kind="int")

    def learned(self, cells: Cells) -> dict[str, StateSpec]:
        """The names."""
        return {"classes": StateSpec((None,), text=True)}

    def fit(self, rows: Passes, cells: Cells) -> dict[str, Array]:
        """Those of the config, or those that are there."""
        if self.classes is not None:
            return {"classes": np.array(self.classes, np.str_)}
        (found,) = vocabularies(rows, 1)
        return {"classes": np.array(ordered(found), np.str_)}

    def apply(self, rows: Rows, state: State, cells: Cells) -> Array:
        """The place of each."""
        texts, classes = as_texts(rows), texts_of(state["classes"])
        found = places(texts, [classes])
        wrong = found == UNKNOWN
        if wrong.any():
            place = first(wrong)
            name = str(texts.values[texts.codes[place]])
            mend = "" if self.classes else "; ClassLabels takes a list of all, classes: [...]"
            of = "classes" if self.classes else "classes of the training rows"
            raise Misfit(f"{name!r} is none of the {of}, {some(classes)}{mend}", place)
        return found

    def indices(self, state: State) -> int:
        """The classes."""
        return len(state["classes"])

    def names(self, state: State) -> tuple[str, ...]:
        """The classes."""
        return tuple(texts_of(state["classes"]))
