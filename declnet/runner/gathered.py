"""The rows of all sources of a run, one after another, as if they were one table."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from declnet.config.split import Part
from declnet.core.source import Source
from declnet.core.spec import Array
from declnet.data import table
from declnet.errors import DataError, Diagnostic, Path, RowError
from declnet.runner.experiment import Experiment, placed
from declnet.runner.splitting import SPLIT, column_of, require_classes

SOURCE: Path = ("data", "source")

Look = Callable[[Source, Mapping[str, Array]], None]
"""Looks at the rows of one source; RowError or DataError where something is wrong with them."""


@dataclass(frozen=True, slots=True)
class Piece:
    """The rows of one source: its fields' arrays, and the number that its first row has among all."""

    part: Part | None
    """The split that they are, all of them; None for those that are still to be split."""
    arrays: Mapping[str, Array]
    start: int

    @property
    def stop(self) -> int:
        """The number of the row after its last."""
        return self.start + len(next(iter(self.arrays.values())))


class Gathered:
    """The fields of `data.source` and, behind them, those of the sources that splits have of their own."""

    def __init__(self, experiment: Experiment, look: Look, *, alone: bool = False) -> None:
        """Read everything, `alone` only `data.source`. DataError where a cell is wrong, or as `look` says."""
        self._experiment, self._look = experiment, look
        self._fields = experiment.inputs | experiment.targets
        split = experiment.config.data.split
        column = None if alone else column_of(split, experiment.targets)
        self.labels: Array | None = None
        """What the rows of `data.source` are split by."""
        first = self._read(experiment.config.data.source, None, 0, column)
        self.pieces = [first]
        for part, source in ({} if alone else split.sources).items():
            self._require_same_names(source, part)
            self.pieces.append(self._read(source, part, self.pieces[-1].stop, None))
        self._starts = np.array([piece.start for piece in self.pieces])

    def __len__(self) -> int:
        """How many rows there are in all."""
        return self.pieces[-1].stop

    def _read(self, source: Source, part: Part | None, start: int, column: str | None) -> Piece:
        """Read one source; its mistakes at its place in the config, or at their own in its file."""
        try:
            wanted = table.columns_of(self._fields)
            columns = source.read(wanted if column in (None, *wanted) else sorted([*wanted, str(column)]))
            if column is not None:
                self.labels = columns[column]
            arrays = table.stack(columns, self._fields, self._experiment.config.dtype)
            self._look(source, arrays)
        except RowError as error:
            mark = None if error.column is None else source.locate(error.row, error.column)
            if mark is None and part is not None:
                path = (*SPLIT, part)
                message = error.diagnostics[0].message  # with the row's number
                raise DataError(Diagnostic(message, path, self._experiment.document.mark(path))) from None
            raise DataError(Diagnostic(error.message, mark=mark)) if mark else error from None
        except DataError as error:
            base = SOURCE if part is None else (*SPLIT, part)
            raise DataError(*placed(error, self._experiment.document, base)) from None
        if column is not None and self._experiment.config.data.split.method == "stratified":
            self._require_classes(column)
        return Piece(part, arrays, start)

    def _require_classes(self, column: str) -> None:
        if self.labels is None:
            raise AssertionError("rows are stratified by a column that was read")
        try:
            require_classes(self.labels, column)
        except DataError as error:
            raise DataError(*placed(error, self._experiment.document, ())) from None

    def _require_same_names(self, source: Source, part: Part) -> None:
        """Refuse a source whose integers stand for other things than those of the training rows."""
        own, known = source.names() or (), self._experiment.config.data.source.names() or ()
        if own == known:
            return
        where = f"{len(own)} of them here, {len(known)} in data.source"
        for number, (here, there) in enumerate(zip(own, known, strict=False)):
            if here != there:
                where = f"{number} is {here!r} here and {there!r} in data.source"
                break
        message = f"its numbers stand for other things than those that are trained on: {where}"
        path = (*SPLIT, part)
        raise DataError(Diagnostic(message, path, self._experiment.document.mark(path)))

    def digest(self) -> int:
        """A check sum of all rows and of what they are split by: other data give another one."""
        found = 0
        for piece in self.pieces:
            if piece.start:  # a row that went from one file to another is a change
                found = zlib.crc32(str(piece.start).encode(), found)
            for array in piece.arrays.values():
                for _, block in table.blocks(array):  # an array may be a view of a file
                    found = zlib.crc32(np.ascontiguousarray(block).reshape(-1).view(np.uint8).data, found)
        if self.labels is not None:
            found = zlib.crc32(np.ascontiguousarray(self.labels).reshape(-1).view(np.uint8).data, found)
        return found

    def take(self, name: str, chosen: Array, out: Array) -> None:
        """Put these rows of a field into an array."""
        if len(self.pieces) == 1:
            _take(self.pieces[0].arrays[name], chosen, out)
            return
        owners = np.searchsorted(self._starts, chosen, side="right") - 1
        for number in np.unique(owners):
            piece, inside = self.pieces[number], owners == number
            array = piece.arrays[name]
            if inside.all():
                _take(array, chosen - piece.start, out)
            else:
                out[inside] = array[chosen[inside] - piece.start]

    def blocks(self, name: str, chosen: Array) -> Iterator[Array]:
        """These rows of a field as the source has them, in blocks of about a megabyte."""
        for piece in self.pieces:
            array = piece.arrays[name]
            inside = chosen[(chosen >= piece.start) & (chosen < piece.stop)] - piece.start
            step = max(1, table.BLOCK // max(1, array[:1].nbytes))
            for start in range(0, len(inside), step):
                yield array[inside[start : start + step]]


def _take(array: Array, chosen: Array, out: Array) -> None:
    if array.dtype == out.dtype and array.flags.c_contiguous and array.flags.aligned:
        # `clip` spares a copy of the result; row numbers are always in range.
        np.take(array, chosen, axis=0, out=out, mode="clip")
    else:  # `take` would copy all of it
        out[...] = array[chosen]
