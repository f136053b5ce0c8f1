"""The source contract: named columns of rows, known by their header before a row is read."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal, NamedTuple

from declnet.core.component import Component
from declnet.core.spec import Array, Kind
from declnet.core.transform import Rows
from declnet.errors import Mark, Path
from declnet.records import record


@record
class Column:
    """What a source holds for each row under one name. `kind` None: a number, read as the config says. `refused`:
    why no field can be made of it, where that is so. `text`: whether its cells are texts, or may be read as such.
    """

    shape: tuple[int, ...] = ()
    kind: Kind | None = None
    refused: str = ""
    text: Literal["no", "may", "yes"] = "no"


class Asked(NamedTuple):
    """How a column is to be read: as texts or as numbers, and whether cells may be missing."""

    column: str
    text: bool = False
    gaps: bool = False


def missing_value(what: str = "it in") -> str:
    """What is said of a cell that is missing and may not be."""
    return f"missing value; the transform Impute fills {what}"


def not_a_number(cell: str) -> str:
    """What is said of a text, already quoted, among numbers."""
    return f"{cell} is not a number; the transforms Category, OneHot and ClassLabels take texts"


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

    @abstractmethod
    def read(self, columns: Sequence[str]) -> dict[str, Array]:
        """The rows of these columns, one array a column, rows first. DataError names the bad cell.

        An array may be read-only, and a view of a file or of other memory: nothing is written to it.
        """

    def read_as(self, asked: Sequence[Asked]) -> list[Rows]:
        """The rows of columns as they are asked for, in that order. DataError as `read`.

        A source of arrays has no texts, and NaN for what is missing: whoever asks looks for it where there may be
        none. One whose columns `text` says more reads texts, and refuses what is missing itself.
        """
        columns = self.read(list(dict.fromkeys(item.column for item in asked)))
        return [columns[item.column] for item in asked]

    def class_names(self, column: str) -> tuple[str, ...]:
        """What a column of integers counts from 0, where that has names: classes, characters. All sources of a run
        have the same.
        """
        return ()


def innermost(source: Source) -> tuple[Path, Source]:
    """Where rows come from in the end: the source within sources, and its key path below the outer one."""
    path: Path = ()
    while isinstance(inner := getattr(source, "source", None), Source):
        path, source = (*path, "source"), inner
    return path, source
