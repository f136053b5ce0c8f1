"""CSV: a table of numbers in a text file."""

from __future__ import annotations

import csv
import math
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal, TextIO, final

import numpy as np
from pydantic import AfterValidator

from declnet.core.registry import sources
from declnet.core.source import Column, Source
from declnet.core.spec import Array
from declnet.errors import DataError, Diagnostic, Mark

BLOCK = 1 << 16
"""Cells held as text at a time: some megabytes, however long the file."""

LINE = 1 << 24
"""Characters of a line: a file without line ends must not fill the memory."""

MISTAKES = 20
"""Mistakes reported in full; the rest are counted."""

SHOWN = 200
"""Characters of a line that a message shows."""

_NOT_TEXT = re.compile("[\0\udc80-\udcff]")  # a NUL, or a byte that surrogateescape let through


def _one_character(delimiter: str) -> str:
    if len(delimiter) != 1 or delimiter in '"\r\n\0':
        raise ValueError(f"a delimiter is one character, not a quote or a line end; got {delimiter!r}")
    return delimiter


@sources.register
@final
class CSV(Source):
    """A table in a text file: the first line names the columns, each further row holds one cell a column.

    UTF-8 and RFC 4180: a cell in double quotes may hold the delimiter, line ends and doubled quotes. Only the
    columns that the config names are read as numbers; the others may hold any text. Nothing is guessed: a row
    that is short or long, an empty cell, nan and inf are mistakes, reported with their place.

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
        """The names in the first line, without the spaces around them."""
        with _open(self.path) as file:
            return dict.fromkeys(_Table(file, str(self.path), self.delimiter).names, Column())

    def read(self, columns: Sequence[str]) -> dict[str, Array]:
        """The rows of these columns as float64; all wrong cells are reported together."""
        with _open(self.path) as file:
            table = _Table(file, str(self.path), self.delimiter)
            return dict(zip(columns, table.read([table.index(name) for name in columns]), strict=True))


@contextmanager
def _open(path: Path) -> Iterator[TextIO]:
    """The open file; what the machine says against opening or reading it becomes a DataError."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):  # opening a FIFO would wait for its writer
            what = "a directory, not a file" if stat.S_ISDIR(mode) else "not a regular file"
            raise DataError(Diagnostic(f"{path}: is {what}", ("path",)))
        # Bytes that are no UTF-8 come through as lone surrogates, so that the one at fault can be pointed at.
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            yield file
    except FileNotFoundError:
        raise DataError(Diagnostic(f"{path}: no such file", ("path",))) from None
    except OSError as error:
        raise DataError(Diagnostic(f"{path}: cannot be read: {error.strerror}", ("path",))) from None


class _Fault(Exception):  # noqa: N818 - it is no error by itself; it carries the mistake that ends the reading
    """A line that is not text."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


def _text(lines: Iterable[str]) -> Iterator[str]:
    """The lines as they come, up to a `_Fault`."""
    for line in lines:
        if ("\0" in line or not line.isascii()) and (found := _NOT_TEXT.search(line)):
            byte = ord(found[0]) & 0xFF  # surrogateescape adds the byte to U+DC00
            what = f"byte 0x{byte:02X} is not UTF-8; save the file as UTF-8" if byte else "a NUL; is this a text file?"
            raise _Fault(what, found.start())
        if len(line) >= LINE:
            raise _Fault(f"the line is longer than {LINE:,} characters; is this a CSV file?", 0)
        yield line


class _Table:
    """The rows of an open file, read in blocks; `lines` are those of the block at hand, for messages."""

    def __init__(self, file: TextIO, name: str, delimiter: str) -> None:
        self.file, self.name, self.delimiter = file, name, delimiter
        self.lines: list[str] = []
        self.before = 0  # lines of the file before `lines`
        self.blank = 0  # the first of some blank lines that nothing has followed yet
        self.problems: list[Diagnostic] = []
        self.further = 0  # problems beyond those
        end = rf"(?:{re.escape(delimiter)}|[\r\n]|\Z)"
        self.quoted = re.compile(r'"(?:[^"]++|"")*+"')
        self.cell = re.compile(rf'(?:{self.quoted.pattern}|(?!")[^{re.escape(delimiter)}\r\n]*+){end}')
        self.rows = self._parse(self._held())
        self.names = self._header()

    def _parse(self, lines: Iterable[str]) -> Iterator[list[str]]:
        return csv.reader(_text(lines), delimiter=self.delimiter, strict=True)

    def _held(self) -> Iterator[str]:
        for line in iter(lambda: self.file.readline(LINE), ""):
            self.lines.append(line)
            yield line

    def _block(self, count: int) -> list[list[str]] | None:
        """The next rows, none at the end of the file; None where there is one that is not CSV."""
        self.before += len(self.lines)
        self.lines.clear()
        try:
            return list(islice(self.rows, count))
        except (csv.Error, _Fault):
            return None

    def _header(self) -> list[str]:
        """The column names; a DataError where they are not there, empty or not unique."""
        rows = self._block(1)
        if rows is None:
            self._diagnose(())
        elif not rows or not rows[0]:
            what = "the first line is blank" if rows else "the file is empty"
            self._note(f"{what}; a header is expected there, the names of the columns", Mark(self.name, 1, 1))
        names = [name.strip() for name in rows[0]] if rows else []
        first: dict[str, int] = {}
        for position, name in enumerate(names, 1):
            if not name:
                self._note(f"column {position} has no name", self._cell_mark(0, position - 1))
            elif first.setdefault(name, position) != position:
                what = f"columns {first[name]} and {position} are both called {_quote(name)}"
                self._note(what, self._cell_mark(0, position - 1))
        self._raise()
        return names

    def index(self, name: str) -> int:
        """The position of a column; a DataError where there is none of this name."""
        if name in self.names:
            return self.names.index(name)
        from difflib import get_close_matches  # noqa: PLC0415 - on this path only

        near = " or ".join(map(_quote, get_close_matches(name, self.names)))
        raise DataError(f"{self.name}: no column {_quote(name)}" + (f"; did you mean {near}?" if near else ""))

    def read(self, wanted: Sequence[int]) -> list[Array]:
        """The numbers of the columns at these positions, float64."""
        parts: list[list[Array]] = [[np.empty(0)] for _ in wanted]
        found = 0
        while (rows := self._block(max(1, BLOCK // len(self.names)))) != []:
            numbers = self._numbers(rows, wanted) if rows and not self.blank else None
            if numbers is None:
                self._diagnose(wanted)
                rows = [row for row in rows or () if row]
                numbers = self._numbers(rows, wanted)
            found += len(rows or ())
        ...
