"""CSV: a table of numbers in a text file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, final

import numpy as np
from pydantic import AfterValidator

from declnet.core.registry import sources
from declnet.core.source import Asked, Column, Source
from declnet.core.spec import Array
from declnet.core.transform import Rows
from declnet.data.files import quote
from declnet.data.sources.csv_table import Table, opened
from declnet.errors import Mark


def _one_character(delimiter: str) -> str:
    if len(delimiter) != 1 or delimiter in '"\r\n\0':
        raise ValueError(f"a delimiter is one character, not a quote or a line end; got {quote(delimiter)}")
    return delimiter


@sources.register
@final
class CSV(Source):
    """A table in a text file: the first line names the columns, and each further row is one example.

    UTF-8 and RFC 4180: a cell in double quotes may hold the delimiter, line ends and doubled quotes. The
    columns that the config names are read as numbers, or as texts where a field's transforms take texts; the others
    may hold anything. Nothing is guessed: a row that is too short or too long, a missing cell where no transform
    fills it in, nan and inf are mistakes, reported with their places. The file may be gzipped. It is read in one
    pass, whatever its size, and holds no more memory than the numbers in it; of texts each different one once.

    Shape:
        each column: one number a row, or one text without the spaces around it.

    Parameters:
        path: the file; a relative path starts at the config's folder.
        delimiter: the character between two cells.
        missing: cells that stand for a missing value, spaces around them aside: ["", NA].

    Raises:
        DataError: the file can't be opened, has no header or no rows, or a row or a wanted cell is wrong.

    Reference: https://www.rfc-editor.org/rfc/rfc4180
    """

    type: Literal["CSV"] = "CSV"
    path: Path
    delimiter: Annotated[str, AfterValidator(_one_character)] = ","
    missing: tuple[str, ...] = ("",)

    def columns(self) -> dict[str, Column]:
        """The names in the header, without the spaces around them; no more of the file is looked at."""
        with opened(self.path) as file:
            return self.describe(list(Table(file, self.path, self.delimiter).names))

    def describe(self, columns: Sequence[str]) -> dict[str, Column]:
        """Single numbers or texts, whatever the file; it is not looked for."""
        return dict.fromkeys(columns, Column(text="may"))

    def read(self, columns: Sequence[str]) -> dict[str, Array]:
        """The rows of these columns as numbers. All that is wrong in the file is reported together."""
        read = self.read_as([Asked(name) for name in columns])
        return {name: rows for name, rows in zip(columns, read, strict=True) if isinstance(rows, np.ndarray)}

    def read_as(self, asked: Sequence[Asked]) -> list[Rows]:
        """The rows of these columns, numbers in float64. All that is wrong in the file is reported together."""
        with opened(self.path) as file:
            return Table(file, self.path, self.delimiter, self.missing).read(asked)

    def locate(self, row: int, column: str) -> Mark | None:
        """The cell of a row in a column."""
        with opened(self.path) as file:
            table = Table(file, self.path, self.delimiter)
            return table.mark(row, table.position(column))
