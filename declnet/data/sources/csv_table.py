"""The table in a CSV file: its header, its columns block by block, and what is wrong with them."""

from __future__ import annotations

import csv
import re
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np

from declnet.core.source import Asked
from declnet.core.spec import Array
from declnet.core.transform import Rows
from declnet.data.files import printable, quote, unpacked
from declnet.data.sources.csv_cells import ColumnReader, reader_of
from declnet.errors import DataError, Diagnostic, Mark

BLOCK = 1 << 16
"""Cells held as text at a time: some megabytes, however long the file."""

LINE = 1 << 24
"""Characters of a line: a file without line ends must not fill the memory."""

MISTAKES = 20
"""Mistakes reported in full; the others are counted."""

SHOWN = 200
"""Characters of a line that a message shows."""

_NOT_TEXT = re.compile("[\0\udc80-\udcff]")  # a NUL, or a byte that surrogateescape let through
_QUOTED = re.compile(r'"(?:[^"]++|"")*+"')


@contextmanager
def opened(path: Path) -> Iterator[TextIO]:
    """The open file as text, unpacked where it is gzipped."""
    # Bytes that are not UTF-8 come through as lone surrogates, so that a message can point at them.
    with (
        unpacked(path) as file,
        TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="") as text,
    ):
        yield text


class _Fault(Exception):  # noqa: N818 - it is no error by itself; it carries the mistake that ends the reading
    """A line that is not text: what is wrong with it, and at which character."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


def _text(lines: Iterable[str]) -> Iterator[str]:
    """The lines as they come, up to a `_Fault`."""
    for line in lines:
        if ("\0" in line or not line.isascii()) and (found := _NOT_TEXT.search(line)):
            byte = ord(found[0]) & 0xFF  # surrogateescape put it at U+DC00 + byte
            utf8 = f"byte 0x{byte:02X} is not UTF-8; save the file as UTF-8"
            raise _Fault(utf8 if byte else "a NUL character; is this a text file?", found.start())
        if len(line) >= LINE:
            raise _Fault(f"a line of {LINE:,} characters or more; is this a CSV file?", 0)
        yield line


class Table:
    """An open file, read in blocks of rows; `lines` are those of the block at hand, kept for messages."""

    def __init__(self, file: TextIO, path: Path, delimiter: str, missing: Sequence[str] = ("",)) -> None:
        """Read the header. `missing` are the cells that stand for a missing value."""
        self.missing = missing
        self.name = printable(str(path))
        self.delimiter = delimiter
        self.lines: list[str] = []
        self.before = 0  # how many lines of the file came before `lines`
        self.blank = 0  # the first of the blank lines that no row has followed yet
        self.problems: list[Diagnostic] = []
        self.further = 0  # how many problems there are beyond these
        char = re.escape(delimiter)
        self.cell = re.compile(rf'({_QUOTED.pattern}|(?!")[^{char}\r\n]*+)(?:{char}|[\r\n]|\Z)')
        self.rows: Iterator[list[str]] = csv.reader(_text(self._held(file)), delimiter=delimiter, strict=True)
        self.names = self._header()

    def places(self, asked: Sequence[Asked]) -> dict[Asked, int]:
        """Which cells of a row belong to these columns, from left to right: mistakes are found in that order."""
        return dict(sorted(((item, self.position(item.column)) for item in asked), key=lambda item: item[1]))

    def position(self, name: str) -> int:
        """Which cell of a row belongs to a column, from 0; a DataError where none has this name."""
        if name in self.names:
            return self.names[name]
        from difflib import get_close_matches

        near = " or ".join(map(quote, get_close_matches(name, self.names)))
        hint = f"; did you mean {near}?" if near else ""
        raise DataError(f"{self.name}: no column {quote(name)}{hint}")

    def read(self, asked: Sequence[Asked]) -> list[Rows]:
        """The rows of these columns."""
        wanted = self.wanted(asked)
        # They grow in place: many small arrays, joined at the end, would take twice the memory.
        columns = {item: array(cells.code) for item, cells in wanted.items()}
        for parts in self.blocks(wanted, max(1, BLOCK // len(self.names))):
            for column, part in zip(columns.values(), parts, strict=False):  # no parts where one is wrong
                column.frombytes(part.tobytes())
        self.check()
        found = {item: cells.rows(np.frombuffer(columns[item], cells.code)) for item, cells in wanted.items()}
        return [found[item] for item in asked]

    def wanted(self, asked: Sequence[Asked]) -> dict[Asked, ColumnReader]:
        """How the cells of columns are read, from left to right."""
        return {item: reader_of(item, place, self.missing) for item, place in self.places(asked).items()}

    def blocks(self, wanted: Mapping[Asked, ColumnReader], count: int) -> Iterator[list[Array]]:
        """These columns, so many rows at a time; none for a block that has no rows, or in which something is wrong,
        which is noted.
        """
        some = False
        while rows := self._block(count):
            parts = None if self.blank else self._parts(rows, wanted)
            if parts is None:
                self._diagnose(wanted)
                rows = [row for row in rows if row]
                parts = self._parts(rows, wanted)
            some = some or bool(rows)
            yield parts or []
        if rows is None:
            self._diagnose(wanted)
        if not some and not self.problems:
            self._note("there are no rows below the header", 1)

    def mark(self, row: int, position: int) -> Mark | None:
        """The place of a cell, by the row's number from 0."""
        for _ in range(row + 1):
            self._block(1)
        return self.place(0, position)

    def texts(self) -> Iterator[list[list[str]]]:
        """The rows as they stand in the file, a block at a time; DataError, at the end, where some are no rows."""
        some = False
        while rows := self._block(max(1, BLOCK // len(self.names))):
            if self.blank or {*map(len, rows)} != {len(self.names)}:
                self._diagnose({})
                rows = [row for row in rows if len(row) == len(self.names)]
            some = some or bool(rows)
            yield rows
        if rows is None:
            self._diagnose({})
        if not some and not self.problems:
            self._note("there are no rows below the header", 1)
        self.check()

    def place(self, row: int, position: int) -> Mark | None:
        """The place of a cell of the block at hand, by the row's number in it."""
        reader = csv.reader(self.lines, delimiter=self.delimiter, strict=True)
        for _ in range(row):
            next(reader)
        self._note("", self.before + reader.line_num + 1, position)
        return self.problems.pop().mark

    def _held(self, file: TextIO) -> Iterator[str]:
        for line in iter(lambda: file.readline(LINE), ""):
            self.lines.append(line)
            yield line

    def _block(self, count: int) -> list[list[str]] | None:
        """The next rows, none at the end of the file; None where the file goes on but not as CSV."""
        self.before += len(self.lines)
        self.lines.clear()
        try:
            return list(islice(self.rows, count))
        except (csv.Error, _Fault):
            return None

    def _header(self) -> dict[str, int]:
        """The column names with their positions; a DataError where they are missing, empty or not unique."""
        rows = self._block(1)
        if rows is None:
            self._diagnose({})
        header = [name.strip() for name in rows[0]] if rows else []
        if not header and not self.problems:
            self._note("the header is missing: the first line is to name the columns", 1)
        names: dict[str, int] = {}
        for position, name in enumerate(header):
            first = names.setdefault(name, position)
            if not name:
                self._note(f"column {position + 1} has no name", 1, position)
            elif first != position:
                what = f"columns {first + 1} and {position + 1} are both called {quote(name)}"
                self._note(what, 1, position)
        self.check()
        return names

    def _parts(self, rows: list[list[str]], wanted: Mapping[Asked, ColumnReader]) -> list[Array] | None:
        """The wanted columns of these rows; None where something is wrong, by the rules of `_check`."""
        if set(map(len, rows)) != {len(self.names)}:
            return None
        parts: list[Array] = []
        for cells in wanted.values():
            part = cells.part([row[cells.place] for row in rows])
            if part is None:
                return None
            parts.append(part)
        return parts

    def _diagnose(self, wanted: Mapping[Asked, ColumnReader]) -> None:
        """Go through the block at hand again, row by row, and note what is wrong."""
        reader = csv.reader(_text(self.lines), delimiter=self.delimiter, strict=True)
        start = 0
        try:
            for row in reader:
                self._check(row, self.before + start + 1, wanted)
                start = reader.line_num
        except _Fault as fault:
            self._note(fault.message, self.before + len(self.lines), offset=fault.offset)
        except csv.Error:
            self._broken(start)

    def _check(self, row: list[str], line: int, wanted: Mapping[Asked, ColumnReader]) -> None:
        """Note what is wrong with the row that starts on this line."""
        if not row:  # a mistake only if a row follows
            self.blank = self.blank or line
            return
        if self.blank:
            self._note("a blank line between rows", self.blank)
            self.blank = 0
        if len(row) != len(self.names):
            cells = "1 cell" if len(row) == 1 else f"{len(row)} cells"
            self._note(f"row has {cells}, the header {len(self.names)}", line)
            return
        for item, own in wanted.items():
            if what := own.wrong(row[own.place]):
                self._note(f"column {quote(item.column)}: {what}", line, own.place)

    def _broken(self, start: int) -> None:
        """Note why the row that starts at `lines[start]` is not CSV: a wrong quote, or too long a cell."""
        text = "".join(self.lines[start:])
        limit = csv.field_size_limit()
        offset = 0
        while offset < len(text) and (cell := self.cell.match(text, offset)) and len(cell[1]) <= limit:
            offset = cell.end()
        closed = _QUOTED.match(text, offset)
        message = "this quote is never closed"
        if closed and len(closed[0]) <= limit:
            offset = closed.end()
            message = "text after a closing quote; a quote within a quoted cell is written twice"
        elif len(text) - offset > limit:
            quote = "; is this quote never closed?" if text[offset] == '"' else ""
            message = f"a cell of more than {limit:,} characters{quote}"
        self._note(message, self.before + start + 1, offset=offset)

    def _note(self, message: str, line: int, cell: int = 0, offset: int = 0) -> None:
        """Keep a mistake: at a cell of the row that starts on this line, or at a character from there."""
        if len(self.problems) == MISTAKES:
            self.further += 1
            return
        # A line of an earlier block is blank, or the header of a file without rows: its text is not needed.
        lines = self.lines[line - self.before - 1 :] if line > self.before else []
        if cell:
            offset = next(islice(self.cell.finditer("".join(lines)), cell, None)).start()
        while len(lines) > 1 and offset >= len(lines[0]):
            offset -= len(lines.pop(0))
            line += 1
        source = printable(lines[0][:SHOWN].rstrip("\r\n")) if lines and offset < SHOWN else ""
        mark = Mark(self.name, line, offset + 1, source)
        self.problems.append(Diagnostic(message, mark=mark))

    def check(self) -> None:
        """Raise what was noted, if anything was."""
        if self.problems:
            more = f"and {self.further} more mistake{'s' * (self.further > 1)}"
            raise DataError(*self.problems, *[more] * bool(self.further))
