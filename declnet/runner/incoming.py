"""Rows to predict for, read in chunks: a table of the columns that the model reads, or arrays by data field."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np

from declnet.core.source import innermost
from declnet.core.spec import Array
from declnet.data import table
from declnet.data.files import require_files
from declnet.data.sources.csv_stream import Table, opened, stream
from declnet.errors import DataError, Diagnostic, RowError
from declnet.records import record
from declnet.runner.checkpoint import DAMAGE
from declnet.runner.experiment import Experiment
from declnet.runner.inputs import Rows, prepared, require_counts, require_names, require_shape
from declnet.runner.transformed import Learned

CHUNK = 1 << 20
"""Bytes of one array that are held at a time."""

STDIN = "<stdin>"


def rows(source: Path | BinaryIO, experiment: Experiment, learned: Learned, multiple: int) -> Iterator[Rows]:
    """The rows of a file, or of a stream, which is a CSV file, as the model reads them. All chunks but the last
    have a `multiple` of rows.

    DataError where the file cannot be read, or holds what the model cannot take.
    """
    if isinstance(source, Path) and source.suffix.lower() == ".npz":
        yield from _arrays(source, experiment, learned, multiple)
        return
    for name, item in experiment.inputs.items():
        if item.cells.shape and not item.stacked:
            raise DataError(
                f"the model reads {name!r}, {item.cells.spec} a row, and a cell of a CSV file holds one number: "
                f"give an .npz file with an array {', '.join(experiment.inputs)}"
            )
    if not isinstance(source, Path):
        text = io.TextIOWrapper(source, encoding="utf-8-sig", errors="surrogateescape", newline="")
        try:
            yield from _table(Table(text, Path(STDIN), *_written(experiment)), experiment, learned, multiple)
        except OSError as error:
            raise DataError(f"{STDIN}: cannot be read: {error.strerror or error}") from None
        finally:
            text.detach()  # or the stream would be closed with it
        return
    try:
        with opened(source) as file:
            yield from _table(Table(file, source, *_written(experiment)), experiment, learned, multiple)
    except DataError as error:  # the file was named here, not under a key of the config
        raise DataError(*(replace(item, path=()) for item in error.diagnostics)) from None


def _written(experiment: Experiment) -> tuple[str, tuple[str, ...]]:
    """The delimiter, and what stands for a missing value: as in the table that was trained on."""
    _, source = innermost(experiment.config.data.source)
    return getattr(source, "delimiter", ","), getattr(source, "missing", ("",))


def _table(read: Table, experiment: Experiment, learned: Learned, multiple: int) -> Iterator[Rows]:
    fields, dtype = experiment.inputs, experiment.config.dtype
    for chunk in stream(read, table.asked_of(fields), multiple):
        try:
            stacked = learned.apply(table.stack(chunk.columns, fields, dtype))
        except RowError as error:
            if error.column is None:
                raise
            raise DataError(Diagnostic(error.message, mark=chunk.locate(error.row, error.column))) from None
        yield stacked


@record
class _Member:
    """An array in an archive, behind its header."""

    file: IO[bytes]
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @classmethod
    def of(cls, file: IO[bytes]) -> _Member:
        """Read the header. ValueError where it is none, or rows do not follow each other in the file."""
        version = np.lib.format.read_magic(file)
        if version not in HEADERS:
            raise ValueError(f"an array in format {version}, which is not for numbers")
        shape, transposed, dtype = HEADERS[version](file)
        if dtype.hasobject:
            raise ValueError("it holds Python objects")
        if transposed and len(shape) > 1:
            raise ValueError("an array in Fortran order; save np.ascontiguousarray(array)")
        return cls(file, dtype, shape)

    @property
    def row(self) -> int:
        """Bytes of a row."""
        return self.dtype.itemsize * math.prod(self.shape[1:])

    def rows(self, count: int) -> Array:
        """The next rows. ValueError where the file ends before."""
        data = self.file.read(count * self.row)
        return np.frombuffer(data, self.dtype, count * math.prod(self.shape[1:])).reshape(count, *self.shape[1:])

    def end(self) -> None:
        """Read to the end, where the archive checks its sum. ValueError where more follows than the header says."""
        if self.file.read(1):
            raise ValueError("more bytes than its header says")


HEADERS: Mapping[tuple[int, int], Callable[[IO[bytes]], tuple[tuple[int, ...], bool, np.dtype[Any]]]] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def _arrays(path: Path, experiment: Experiment, learned: Learned, multiple: int) -> Iterator[Rows]:
    fields, dtype = experiment.inputs, experiment.config.dtype
    with ExitStack() as stack:
        members: dict[str, _Member] = {}
        with _archive(path):
            archive = stack.enter_context(zipfile.ZipFile(stack.enter_context(path.open("rb"))))
            require_names([member.removesuffix(".npy") for member in archive.namelist()], fields)
        for name, item in fields.items():
            with _archive(path, name):
                members[name] = member = _Member.of(stack.enter_context(archive.open(f"{name}.npy")))
                require_shape(name, member.dtype, member.shape, item.cells)
        with _archive(path):
            require_counts({name: member.shape[0] for name, member in members.items()})
        count = next(iter(members.values())).shape[0]
        widest = max(member.row for member in members.values())
        step = max(1, CHUNK // max(1, widest) // multiple) * multiple
        for start in range(0, count, step):
            chunk: Rows = {}
            for name, member in members.items():
                with _archive(path, name):
                    array = member.rows(min(step, count - start))
                    chunk[name] = prepared(name, array, fields[name], learned, dtype, first=start)
            yield chunk
        for name, member in members.items():
            with _archive(path, name):
                member.end()


@contextmanager
def _archive(path: Path, name: str = "") -> Iterator[None]:
    """Say of which file a refusal is, and turn what reading an archive can raise into one."""
    try:
        yield
    except DataError as error:
        raise DataError(*(replace(item, message=f"{path}: {item.message}") for item in error.diagnostics)) from None
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        require_files(path, error)
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except DAMAGE as error:
        what = f"{f'{name}: ' if name else ''}{error or type(error).__name__}"
        raise DataError(f"{path}: not arrays as np.savez writes them, or damaged: {what}") from error
