"""The transform contract: what becomes of a data field's rows, with what was learned of the training rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import ClassVar, Literal, TypeAlias

import numpy as np

from declnet.core.component import Component
from declnet.core.spec import Array, Kind, Spec
from declnet.errors import ShapeError
from declnet.records import record

MISSING = -1
"""The code of a cell that holds no text."""


@record
class Texts:
    """Rows of texts: for each cell the index of its text among the `values`, MISSING where it has none."""

    codes: Array
    values: Array

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.codes)

    def __getitem__(self, rows: slice | Array) -> Texts:
        """Some of the rows."""
        return Texts(self.codes[rows], self.values)


Rows: TypeAlias = "Array | Texts"
"""Rows of a data field, on their way to the array that a model reads."""

State: TypeAlias = Mapping[str, Array]
"""What a transform learned of the training rows, by name: float64 numbers, integers, texts."""

Passes: TypeAlias = Callable[[], Iterator[Rows]]
"""Goes through the training rows block by block, each time it is called."""


@record
class Cells:
    """What is known of a field's rows before they are read: the shape of one, and what its cells hold.

    `gaps`: whether some may be missing, NaN or MISSING. `columns`: how many columns stand side by side in the first
    dimension; of an array that is one column of its own, 1.
    """

    shape: tuple[int, ...] = ()
    kind: Kind | Literal["text"] = "float"
    gaps: bool = False
    columns: int = 1

    @property
    def spec(self) -> Spec:
        """As a spec of numbers."""
        if self.kind == "text":
            raise AssertionError("texts are no array that a model reads")
        return Spec(self.shape, self.kind)

    @property
    def parts(self) -> int:
        """How many statistics there are of numbers: one for each index of the first dimension."""
        return self.shape[0] if self.shape else 1

    def by_part(self, rows: Array) -> Array:
        """Rows of numbers as (N, parts, numbers of a part), in float64."""
        return np.asarray(rows, np.float64).reshape(len(rows), self.parts, -1)

    def spread(self, figures: Array) -> Array:
        """A figure a part, in the shape in which it meets rows."""
        return figures.reshape(self.shape[:1] + (1,) * len(self.shape[1:]))


class Misfit(Exception):  # noqa: N818 - whoever knows the columns makes an error of it
    """A cell holds what a transform cannot take: what is wrong, and the cell's indices, the row first."""

    def __init__(self, message: str, place: tuple[int, ...]) -> None:
        """Take both."""
        super().__init__(message)
        self.message, self.place = message, place


def first(wrong: Array) -> tuple[int, ...]:
    """The indices of the first cell at which a mask is true."""
    return tuple(map(int, np.argwhere(wrong)[0]))


@record
class StateSpec:
    """An array of a state: its shape, None for a size that the rows decide, and whether it holds texts."""

    shape: tuple[int | None, ...]
    text: bool = False

    def fits(self, array: Array) -> bool:
        """Whether an array is such a one."""
        kinds = "U" if self.text else "fi"
        sizes = zip(self.shape, array.shape, strict=False)
        return (
            array.dtype.kind in kinds
            and array.ndim == len(self.shape)
            and all(size in (None, own) for size, own in sizes)
            and (self.text or bool(np.isfinite(array).all()))
        )


class Transform(Component, ABC):
    """A step from the cells of a data field to the array that the model reads.

    It is applied in float64 to any number of rows at a time, each by itself: it does not matter how rows are cut.
    """

    takes: ClassVar[Literal["number", "text", "any"]] = "number"
    """What the cells hold that it works on; texts are also integers, each a text of digits."""

    fills: ClassVar[bool] = False
    """Whether it takes cells that are missing, and leaves none."""

    augments: ClassVar[bool] = False
    """Whether it does something else to rows that are trained on: see `augment`."""

    invertible: ClassVar[bool] = False
    """Whether `invert` undoes it."""

    def infer(self, cells: Cells) -> Cells:
        """What becomes of cells; a `ShapeError`, whose `field` is the wrong argument, where they don't fit."""
        if self.takes == "number" and cells.kind == "text":
            raise ShapeError(
                f"{self.type} takes numbers, and before it are texts; OneHot and Category make numbers"
            )
        if self.takes == "text" and cells.kind == "float":
            raise ShapeError(f"{self.type} takes texts or integers, and before it are floating-point numbers")
        return replace(self.becomes(cells), gaps=cells.gaps and not self.fills)

    @abstractmethod
    def becomes(self, cells: Cells) -> Cells:
        """What becomes of cells of a kind that it takes."""

    def learned(self, cells: Cells) -> dict[str, StateSpec]:
        """The arrays of its state, of cells like these."""
        return {}

    def fit(self, rows: Passes, cells: Cells) -> dict[str, Array]:
        """Learn from the training rows; a `ShapeError` where no argument allows for what they hold."""
        return {}

    @abstractmethod
    def apply(self, rows: Rows, state: State, cells: Cells) -> Rows:
        """The rows, transformed; `cells` is what they were before. A `Misfit` where a cell cannot be."""

    def augment(self, rows: Array, rng: np.random.Generator) -> Array:
        """The rows as they are trained on, at random."""
        raise AssertionError(f"{self.type} augments nothing")

    def invert(self, values: Array, state: State, cells: Cells) -> Array:
        """The float64 numbers that `apply` made these of; `cells` as there."""
        raise AssertionError(f"{self.type} cannot be inverted")

    def indices(self, state: State) -> int:
        """How many indices there are among its integers, from 0; 0 where nobody knows, or they are none."""
        return 0

    def names(self, state: State) -> tuple[str, ...]:
        """The names of the classes that its integers stand for, from 0, where it gives classes names."""
        return ()
