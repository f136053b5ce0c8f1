"""A CSV file that is read bit by bit: as long as it likes, and from a pipe too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from declnet.core.source import Asked
from declnet.core.transform import Rows
from declnet.data.sources.csv_table import BLOCK, Table, opened
from declnet.errors import DataError, Diagnostic, Mark
from declnet.records import record

__all__ = ["Chunk", "Table", "opened", "stream"]


@record
class Chunk:
    """Some rows of a table that is read bit by bit: the columns, and where a row of them holds a column's value."""

    columns: dict[Asked, Rows]
    locate: Callable[[int, str], Mark | None]


def stream(table: Table, asked: Sequence[Asked], multiple: int) -> Iterator[Chunk]:
    """The rows of these columns, in chunks of a few megabytes of text; all but the last have a `multiple` of rows.

    DataError, once the rows before it are given, where a chunk is wrong.
    """
    lacking: list[Diagnostic] = []
    for column in dict.fromkeys(item.column for item in asked):
        try:
            table.position(column)
        except DataError as error:
            lacking += error.diagnostics
    if lacking:
        raise DataError(*lacking)
    wanted = table.wanted(asked)
    for parts in table.blocks(wanted, max(1, BLOCK // len(table.names) // multiple) * multiple):
        table.check()
        if parts:
            columns = {item: cells.rows(part) for (item, cells), part in zip(wanted.items(), parts, strict=True)}
            yield Chunk(columns, lambda row, name: table.place(row, table.position(name)))
            for cells in wanted.values():
                cells.forget()  # a chunk has its own texts, or they would grow with the file
    table.check()
