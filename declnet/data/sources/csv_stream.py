"""A CSV file that is read bit by bit: as long as it likes, and from a pipe too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from declnet.core.spec import Array
from declnet.data.sources.csv_table import BLOCK, Table, opened
from declnet.errors import DataError, Diagnostic, Mark

__all__ = ["Chunk", "opened", "stream"]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of a table that is read bit by bit: the columns, and where a row of them holds a column's value."""

    columns: dict[str, Array]
    locate: Callable[[int, str], Mark | None]


def stream(file: TextIO, name: str, delimiter: str, columns: Sequence[str], multiple: int) -> Iterator[Chunk]:
    """The rows of these columns, in chunks of a few megabytes of text; all but the last have a `multiple` of rows.

    `name` is what messages call the file. DataError, once the rows before it are given, where a chunk is wrong.
    """
    table = Table(file, Path(name), delimiter)
    missing: list[Diagnostic] = []
    for column in columns:
        try:
            table.position(column)
        except DataError as error:
            missing += error.diagnostics
    if missing:
        raise DataError(*missing)
    wanted = table.positions(columns)
    for numbers in table.blocks(wanted, max(1, BLOCK // len(table.names) // multiple) * multiple):
        table.check()
        if numbers:
            yield Chunk(dict(zip(wanted, numbers, strict=True)), lambda row, name: table.place(row, wanted[name]))
    table.check()
