"""What a CSV file seems to hold, looked at once from top to bottom: its delimiter, and a guess at each column."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from declnet.data.kinds import Column, Seen
from declnet.data.sources.csv_table import LINE, Table, opened
from declnet.errors import DataError
from declnet.records import record

DELIMITERS = (",", ";", "\t", "|")
"""What cells are set apart by; of two that come as often in a header, the first."""

_QUOTED = re.compile(r'"(?:[^"]|"")*"')


@record
class Guess:
    """A file, and a guess at each of its columns, in the file's order."""

    path: Path
    delimiter: str
    rows: int
    columns: tuple[Column, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """The cells that stand for missing values, in any column, the most frequent first."""
        counts: dict[str, int] = {}
        for column in self.columns:
            for text, count in column.missing.items():
                counts[text] = counts.get(text, 0) + count
        return tuple(sorted(counts, key=lambda text: (-counts[text], text)))


def guess(path: Path, delimiter: str | None = None) -> Guess:
    """Look at a file, which may be gzipped, in one pass and flat memory.

    Raises:
        DataError: the file can't be opened, or is no table with a header and rows.
    """
    try:
        return _guess(path, delimiter_of(path) if delimiter is None else delimiter)
    except DataError as error:  # the file was named here, not under a key of a config
        raise DataError(*(replace(item, path=()) for item in error.diagnostics)) from None


def _guess(path: Path, delimiter: str) -> Guess:
    with opened(path) as file:
        table = Table(file, path, delimiter)
        seen = [Seen(name) for name in table.names]
        for rows in table.texts():
            for column, cells in zip(
                seen, zip(*rows, strict=True), strict=False
            ):  # no cells where there are no rows
                column.take(cells)
    return Guess(path, delimiter, seen[0].rows, tuple(column.judged() for column in seen))


def delimiter_of(path: Path) -> str:
    """What the cells of a file's header are set apart by."""
    with opened(path) as file:
        header = _QUOTED.sub("", file.readline(LINE))
    return max(DELIMITERS, key=header.count)
