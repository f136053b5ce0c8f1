"""The source contract: named columns of rows, known by their header before a row is read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from declnet.core.component import Component
from declnet.core.spec import Array, Kind
from declnet.errors import Mark, Path


@dataclass(frozen=True, slots=True)
class Column:
    """What a source holds for each row under one name. `kind` None: a number, read as the config says. `refused`:
    why no field can be made of it, where that is so.
    """

    shape: tuple[int, ...] = ()
    kind: Kind | None = None
    refused: str = ""


class Source(Component, ABC):
    """Where rows come from."""

    inputs: ClassVar[dict[str, str]] = {}
    """The data fields a config gets where it names none: field name to column."""

    targets: ClassVar[dict[str, str]] = {}
    """The same for `data.targets`."""

    @abstractmethod
    def columns(self) -> dict[str, Column]:
        """The columns by name, from the header alone; no row is read. DataError where there is none."""

    def describe(self, columns: Sequence[str]) -> dict[str, Column]:
        """What these columns hold, without the file where that is known without it: a network that is trained
        needs no more. DataError as `columns`.
        """
        return self.columns()

    def locate(self, row: int, column: str) -> Mark | None:
        """Where a row, counted from 0, holds a column's value, for messages; None where it has no place."""
        return None

    def hint(self, column: str) -> str:
        """What a message adds where the loss cannot take a column's values: `; there are 65`, or nothing."""
        return ""

    def names(self) -> tuple[str, ...] | None:
        """What its integers stand for, each name at the place of its number: characters, classes. None where they
        stand for nothing but themselves. Two sources of one run have to have the same.
        """
        return None

    @abstractmethod
    def read(self, columns: Sequence[str]) -> dict[str, Array]:
        """The rows of these columns, one array a column, rows first. DataError names the bad cell.

        An array may be read-only, and a view of a file or of other memory: nothing is written to it.
        """


def innermost(source: Source) -> tuple[Path, Source]:
    """Where rows come from in the end: the source within sources, and its key path below the outer one."""
    path: Path = ()
    while isinstance(inner := getattr(source, "source", None), Source):
        path, source = (*path, "source"), inner
    return path, source
