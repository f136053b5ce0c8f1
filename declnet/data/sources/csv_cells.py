"""The cells of one column of a CSV file: as numbers, or as texts of which each different one is kept once."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from declnet.core.source import Asked, missing_value, not_a_number
from declnet.core.spec import Array
from declnet.core.transform import MISSING, Rows
from declnet.data.files import quote
from declnet.data.texts import CODES, Dictionary

NOTHING = {"na", "n/a", "nan", "null", "none", "?", "-", "."}
"""What many files write where there is no value."""

GAP = missing_value("in what the source lists under missing")

MAYBE = ", and the source lists under missing what stands for a missing value"
"""What is added where a cell could be one."""


class ColumnReader(ABC):
    """How the cells at one place of each row are read; `code` says what numbers they become, as
    NumPy and `array` do.
    """

    code: ClassVar[str]

    def __init__(self, asked: Asked, place: int, missing: Sequence[str]) -> None:
        self.gaps, self.place = asked.gaps, place
        self.missing = frozenset(text.strip() for text in missing)

    def is_missing(self, cell: str) -> bool:
        """Whether a cell stands for a missing value."""
        return cell.strip() in self.missing

    def wrong(self, cell: str) -> str | None:
        """What is wrong with a cell; None where nothing is."""
        if self.is_missing(cell):
            return None if self.gaps else GAP
        return self.unfit(cell)

    @abstractmethod
    def unfit(self, cell: str) -> str | None:
        """The same of a cell that is not missing."""

    @abstractmethod
    def part(self, cells: list[str]) -> Array | None:
        """A block of cells as numbers; None where something is wrong with one."""

    @abstractmethod
    def rows(self, numbers: Array) -> Rows:
        """What the numbers of all blocks stand for."""

    @abstractmethod
    def forget(self) -> None:
        """Begin anew with the next block, which has nothing to do with those before."""


class _Numbers(ColumnReader):
    code = "d"

    def __init__(self, asked: Asked, place: int, missing: Sequence[str]) -> None:
        super().__init__(asked, place, missing)
        # Where a number stands for a missing value, -999, cells are looked up before they are read.
        self.look = any(_finite(text) for text in self.missing)

    def unfit(self, cell: str) -> str | None:
        """A number is what Python reads as one, but for what is not finite and for digits grouped with _."""
        if not cell.strip():
            return GAP
        hint = MAYBE if cell.strip().lower() in NOTHING else ""
        try:
            number = float(cell)
        except ValueError:
            return not_a_number(quote(cell)) + hint
        if "_" in cell:
            return not_a_number(quote(cell))
        return None if math.isfinite(number) else f"{quote(cell)} is not finite{hint}"

    def part(self, cells: list[str]) -> Array | None:
        """All cells at once or, where some are missing, those that are there."""
        numbers = None if self.look else self._numbers(cells)
        if numbers is not None or not (self.gaps or self.look):
            return numbers
        there = [not self.is_missing(cell) for cell in cells]
        if not self.gaps and not all(there):
            return None
        known = self._numbers([cell for cell, is_there in zip(cells, there, strict=True) if is_there])
        if known is None:
            return None
        found = np.full(len(cells), np.nan)
        found[there] = known
        return found

    def _numbers(self, cells: list[str]) -> Array | None:
        try:
            numbers = np.fromiter(map(float, cells), np.float64, len(cells))
        except ValueError:
            return None
        return numbers if np.isfinite(numbers).all() and "_" not in "".join(cells) else None

    def rows(self, numbers: Array) -> Rows:
        """They stand for themselves."""
        return numbers

    def forget(self) -> None:
        """A block leaves nothing behind."""


class _Texts(ColumnReader):
    code = CODES

    def __init__(self, asked: Asked, place: int, missing: Sequence[str]) -> None:
        super().__init__(asked, place, missing)
        self.forget()

    def forget(self) -> None:
        """Number texts from 0 again."""
        self.texts = Dictionary(self.missing)

    def unfit(self, cell: str) -> str | None:
        """Any text is right."""
        return None

    def part(self, cells: list[str]) -> Array | None:
        """The number of each cell's text."""
        codes = self.texts.encode(cells)
        return codes if self.gaps or not (codes == MISSING).any() else None

    def rows(self, numbers: Array) -> Rows:
        """With the texts that have been met."""
        return self.texts.rows(numbers)


def _finite(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def reader_of(asked: Asked, place: int, missing: Sequence[str]) -> ColumnReader:
    """How a column that stands at this place is read."""
    return (_Texts if asked.text else _Numbers)(asked, place, missing)
