"""CSV: a table of numbers in a text file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, final

from pydantic import AfterValidator

from declnet.core.registry import sources
from declnet.core.source import Column, Source
from declnet.core.spec import Array
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
    columns that the config names are read as numbers, the others may hold anything. Nothing is guessed: a row
    that is too short or too long, an empty cell, nan and inf are mistakes, reported with their places. The file may
    be gzipped. It is read in one pass, whatever its size, and holds no more memory than the numbers in it.

    Shape:
        each column: one number a row.

    Parameters:
        path: the file; a relative path starts at the config's folder.
        delimiter: the character between two cells.

    Raises:
        DataError: the file can't be opened, has no header or no rows, or a row or a wanted cell is wrong.

    Reference: https://www.rfc-editor.org/rfc/rfc4180
    """

    type: Literal["CSV"] = "CSV"
    path: Path
    delimiter: Annotated[str, AfterValidator(_one_character)] = ","

    def columns(self) -> dict[str, Column]:
        """The names in the header, without the spaces around them; no more of the file is looked at."""
        with opened(self.path) as file:
            return dict.fromkeys(Table(file, self.path, self.delimiter).names, Column())

    def describe(self, columns: Sequence[str]) -> dict[str, Column]:
        """Single numbers, whatever the file; it is not looked for."""
        return dict.fromkeys(columns, Column())

    def read(self, columns: Sequence[str]) -> dict[str, Array]:
        """The rows of these columns, float64. All that is wrong in the file is reported together."""
        with opened(self.path) as file:
            table = Table(file, self.path, self.delimiter)
            return table.read(table.positions(columns))

    def locate(self, row: int, column: str) -> Mark | None:
        """The cell of a row in a column."""
        with opened(self.path) as file:
            table = Table(file, self.path, self.delimiter)
            return table.mark(row, table.position(column))
