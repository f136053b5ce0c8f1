"""What transforms of texts share: the different texts of each column, and where a cell's is among them."""

from __future__ import annotations

import re
from abc import ABC
from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from declnet.core.spec import Array
from declnet.core.suggest import some
from declnet.core.transform import MISSING, Cells, Passes, Rows, State, StateSpec, Texts, Transform
from declnet.errors import ShapeError

UNKNOWN = -2
"""Where a text that the vocabulary lacks is in it."""


Listed = Annotated[tuple[str, ...], Field(min_length=1)]
"""Texts in a config."""


def require_different(name: str, texts: Sequence[str]) -> None:
    """ValueError where a list in a config, under this name, has a text twice."""
    for text in texts:
        if (count := texts.count(text)) > 1:
            raise ValueError(f"{name} lists {text!r} {count} times")


def as_texts(rows: Rows) -> Texts:
    """Rows of texts; integers as their digits."""
    if isinstance(rows, Texts):
        return rows
    different, codes = np.unique(np.asarray(rows, np.int64), return_inverse=True)
    return Texts(codes.reshape(rows.shape), different.astype(np.str_))


def ordered(texts: Iterable[str]) -> list[str]:
    """In alphabetical order, but whole numbers by size."""
    found = sorted(texts)
    return sorted(found, key=int) if all(re.fullmatch("-?[0-9]+", text) for text in found) else found


def texts_of(array: Array) -> list[str]:
    """An array of texts as a list."""
    return [str(text) for text in array.tolist()]


def vocabularies(rows: Passes, columns: int) -> list[list[str]]:
    """The different texts of each column, in order."""
    found: list[set[str]] = [set() for _ in range(columns)]
    for block in rows():
        texts = as_texts(block)
        for own, codes in zip(found, by_column(texts.codes, columns), strict=True):
            there = np.unique(codes)
            own.update(texts_of(texts.values[there[there != MISSING]]))
    return [ordered(own) for own in found]


def by_column(codes: Array, columns: int) -> Array:
    """The codes of each column, (columns, numbers)."""
    return codes.reshape(len(codes), columns, -1).swapaxes(0, 1).reshape(columns, -1)


def packed(lists: Sequence[Sequence[str]]) -> dict[str, Array]:
    """The texts of all columns as a state."""
    return {
        "categories": np.array([text for own in lists for text in own], np.str_),
        "counts": np.array([len(own) for own in lists], np.int64),
    }


def unpacked(state: State) -> list[list[str]]:
    """The texts of each column, from a state."""
    return [texts_of(part) for part in np.split(state["categories"], np.cumsum(state["counts"])[:-1])]


def places(texts: Texts, lists: Sequence[Sequence[str]]) -> Array:
    """Where each cell's text is in its column's list: an index, MISSING or UNKNOWN; in the shape of the rows."""
    columns = by_column(texts.codes, len(lists))
    found = np.empty(columns.shape, np.int64)
    for number, (own, codes) in enumerate(zip(lists, columns, strict=True)):
        index = {text: place for place, text in enumerate(own)}
        different, inverse = np.unique(codes, return_inverse=True)
        known = [
            MISSING if code == MISSING else index.get(str(texts.values[code]), UNKNOWN)
            for code in different.tolist()
        ]
        found[number] = np.array(known, np.int64)[inverse]
    rows, shape = len(texts), texts.codes.shape
    back: Array = found.reshape(len(lists), rows, -1).swapaxes(0, 1).reshape(shape)
    return back


class OfTexts(Transform, ABC):
    """A transform with a list of texts for each column, in the config or learned."""

    takes: ClassVar[Literal["number", "text", "any"]] = "text"

    categories: Annotated[int, Field(ge=1)] | Listed | None = None

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if isinstance(self.categories, tuple):
            require_different("categories", self.categories)
        return self

    def learned(self, cells: Cells) -> dict[str, StateSpec]:
        """The texts of all columns, and how many each has."""
        return {"categories": StateSpec((None,), text=True), "counts": StateSpec((cells.columns,))}

    def fit(self, rows: Passes, cells: Cells) -> dict[str, Array]:
        """Those of the config, or those that are there."""
        if isinstance(self.categories, tuple):
            return packed([self.categories] * cells.columns)
        lists = vocabularies(rows, cells.columns)
        if self.categories is not None:
            most = max(lists, key=len)
            if len(most) > self.categories:
                raise ShapeError(
                    f"room for {self.categories} categories, and the training rows have {len(most)}: {some(most)}",
                    field="categories",
                )
        return packed(lists)
