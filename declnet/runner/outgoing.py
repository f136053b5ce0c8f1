"""Predictions written as they come: as CSV, as JSON lines, or as NumPy's arrays."""

from __future__ import annotations

import json
import math
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from shutil import copyfileobj
from typing import BinaryIO, Literal

import numpy as np

from declnet.core.spec import Array, DType
from declnet.runner.checkpoint import EPOCH
from declnet.runner.readings import Told

Form = Literal["csv", "jsonl", "npz"]

_SPECIAL = re.compile(r'[",\r\n]|^\s|\s$')
"""What makes quotes necessary, or tells a text from the same without spaces."""

Write = Callable[[Mapping[str, Array]], None]
"""Takes a batch: what is told of its rows, by name."""


def writing(
    form: Form, file: BinaryIO, items: Sequence[Told], dtype: DType, folder: Path | None
) -> AbstractContextManager[Write]:
    """Write batches to an open file within the block; `folder` is for what has to wait, None for the system's."""
    if form == "npz":
        return _arrays(file, items, dtype, folder)
    return _table(file, items) if form == "csv" else _objects(file, items)


def _digits(array: Array) -> list[str]:
    """The numbers as text, with the fewest digits from which the same bits are read again; texts as cells."""
    if array.dtype.kind == "U":
        return list(map(quoted, array.tolist()))
    digits: list[str] = array.astype("U").tolist() if array.dtype == np.float32 else list(map(repr, array.tolist()))
    return digits


def quoted(text: str) -> str:
    """A text as a cell of a CSV file."""
    return '"' + text.replace('"', '""') + '"' if _SPECIAL.search(text) else text


@contextmanager
def _table(file: BinaryIO, items: Sequence[Told]) -> Iterator[Write]:
    """A header and a line a row; what has several numbers a row is as many columns, by name or numbered from 0."""
    header: list[str] = []
    for item in items:
        size = math.prod(item.shape)
        parts = item.labels or tuple(map(str, range(size)))
        header += [item.name] if size == 1 else [quoted(f"{item.name}_{part}") for part in parts]

    def write(batch: Mapping[str, Array]) -> None:
        columns = (column for array in batch.values() for column in array.reshape(len(array), -1).T)
        lines = map(",".join, zip(*map(_digits, columns), strict=True))
        file.write("".join(f"{line}\n" for line in lines).encode())

    file.write(",".join(header).encode() + b"\n")
    yield write


@contextmanager
def _objects(file: BinaryIO, items: Sequence[Told]) -> Iterator[Write]:
    """An object a row; arrays are lists, as deep as they have dimensions, or objects where each number has a name,
    and what is not finite is null.
    """
    labels = {item.name: item.labels for item in items if item.labels}

    def plain(array: Array) -> list[object]:
        if array.dtype.kind == "U":
            return array.tolist()  # type: ignore[no-any-return] # texts
        # As float64, which JSON's numbers are read as: those that float32's shortest digits stand for.
        shown = array.astype("U").astype(np.float64) if array.dtype == np.float32 else array
        finite = np.isfinite(array)
        found: list[object] = (shown if finite.all() else np.where(finite, shown, np.array(None))).tolist()
        return found

    def write(batch: Mapping[str, Array]) -> None:
        columns = {name: plain(array) for name, array in batch.items()}
        for name, own in labels.items():
            columns[name] = [dict(zip(own, row, strict=True)) for row in columns[name] if isinstance(row, list)]
        rows = zip(*columns.values(), strict=True)
        lines = (json.dumps(dict(zip(batch, row, strict=True)), allow_nan=False) for row in rows)
        file.write("".join(f"{line}\n" for line in lines).encode())

    yield write


@contextmanager
def _arrays(file: BinaryIO, items: Sequence[Told], dtype: DType, folder: Path | None) -> Iterator[Write]:
    """An array each. An array's header says how many rows follow, which the last one tells: so they wait in files
    that the system removes, however this ends.
    """
    with ExitStack() as stack:
        parts = {item.name: stack.enter_context(tempfile.TemporaryFile(dir=folder)) for item in items}
        rows = 0

        def write(batch: Mapping[str, Array]) -> None:
            nonlocal rows
            for name, array in batch.items():
                parts[name].write(array.tobytes())
            rows += len(array)

        yield write
        with zipfile.ZipFile(file, "w") as archive:
            for item in items:
                part, kind = parts[item.name], item.dtype(dtype)
                with archive.open(zipfile.ZipInfo(f"{item.name}.npy", EPOCH), "w", force_zip64=True) as member:
                    head = {
                        "descr": np.lib.format.dtype_to_descr(kind),
                        "fortran_order": False,
                        "shape": (rows, *item.shape),
                    }
                    np.lib.format.write_array_header_1_0(member, head)
                    part.seek(0)
                    copyfileobj(part, member)
