"""Data fields: which columns of a source they are made of, their specs, and their rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from declnet.core.source import Column, Source
from declnet.core.spec import Array, DType, Kind, Spec, numpy_dtype
from declnet.errors import RowError, ShapeError

BLOCK = 1 << 20
"""Bytes of a column that are looked at at a time."""


@dataclass(frozen=True, slots=True)
class Field:
    """One data field: its columns, whether they are stacked to a vector, and the spec of one row."""

    columns: tuple[str, ...]
    stacked: bool
    spec: Spec


def field(
    known: Mapping[str, Column], columns: str | Sequence[str], kind: Kind | None, spared: Collection[str] = ()
) -> Field:
    """Describe a field; a `ShapeError` where its columns are unknown or do not stack.

    A pattern stands for none of the columns that are spared.
    """
    alone = isinstance(columns, str) and (columns in known or not is_pattern(columns))
    names = _expanded(known, listed(columns), spared)
    for name in names:
        if name not in known:
            raise ShapeError(f"the source has no column {name!r}", field=name)
        if known[name].refused:
            raise ShapeError(f"column {name!r} {known[name].refused}", field=name)
    found = [known[name] for name in names]
    kinds = {column.kind for column in found} - {None}
    own: Kind = "float" if not kinds else next(iter(k for k in kinds if k)) if len(kinds) == 1 else "float"
    if alone:
        return Field(names, False, Spec(found[0].shape, kind or own))
    if not names:
        raise ShapeError("a field needs at least one column")
    for name, column in zip(names, found, strict=True):
        if column.shape:
            raise ShapeError(
                f"only columns of single numbers can be put in a list, and {name!r} holds {Spec(column.shape)}; "
                f"write it without brackets: {name}"
            )
    return Field(names, True, Spec((len(names),), kind or own))


def listed(columns: str | Sequence[str]) -> tuple[str, ...]:
    """The columns of a field, of which there may be one."""
    return (columns,) if isinstance(columns, str) else tuple(columns)


def is_pattern(name: str) -> bool:
    """Whether a column's name may stand for several others."""
    return "*" in name or "?" in name


def _expanded(known: Mapping[str, Column], columns: Sequence[str], spared: Collection[str]) -> tuple[str, ...]:
    """The columns, each pattern replaced by those that match it and are not named yet, in the header's order."""
    free = [column for column in known if column not in spared and column not in columns]
    names: list[str] = []
    for name in columns:
        if name in known or not is_pattern(name):
            names.append(name)
            continue
        pattern = name.replace("[", "[[]")  # only * and ? stand for others
        found = [column for column in free if fnmatchcase(column, pattern)]
        if not found:
            besides = " but targets" if any(fnmatchcase(column, pattern) for column in spared) else ""
            raise ShapeError(f"no column of the source matches {name!r}{besides}", field=name)
        names += [column for column in found if column not in names]
    return tuple(names)


def read(source: Source, fields: Mapping[str, Field], dtype: DType) -> dict[str, Array]:
    """The rows of all fields, as `stack` puts them together."""
    return stack(source.read(columns_of(fields)), fields, dtype)


def columns_of(fields: Mapping[str, Field]) -> list[str]:
    """The columns that fields are made of, each once."""
    return sorted({name for item in fields.values() for name in item.columns})


def stack(columns: dict[str, Array], fields: Mapping[str, Field], dtype: DType) -> dict[str, Array]:
    """Put columns together to fields, one array each, rows first, all numbers checked; RowError where one does not
    fit. A column is taken out of `columns` with its last use.

    Most have the dtype that their field has. What would take more memory converted than it does now (bytes, a file
    mapped into memory, windows that overlap) is left as it is, for batches to convert the rows that they gather.
    """
    uses = Counter(name for item in fields.values() for name in item.columns)
    arrays: dict[str, Array] = {}

    def take(column: str, wanted: np.dtype[Any]) -> Array:
        """A column, checked; where nothing else is made of it, its memory is free once the caller is done."""
        uses[column] -= 1
        values = columns[column] if uses[column] else columns.pop(column)
        _check(values, column, wanted)
        return values

    for name, item in fields.items():
        wanted = numpy_dtype(item.spec.kind, dtype)
        values = take(item.columns[0], wanted)
        if not item.stacked:
            arrays[name] = values if _is_left(values, wanted) else values.astype(wanted, order="C")
            continue
        arrays[name] = np.empty((len(values), len(item.columns)), wanted)
        for index, column in enumerate(item.columns):
            values = take(column, wanted) if index else values
            arrays[name][:, index] = values
    return arrays


def _is_left(values: Array, wanted: np.dtype[Any]) -> bool:
    """Whether a column stays as it is: it has the dtype already, or would only grow."""
    if values.dtype == wanted and values.flags.c_contiguous:
        return True
    if values.ndim == 1 or not values[0].flags.c_contiguous:
        return False
    overlap = values.strides[0] < values[0].nbytes
    return overlap or values.itemsize < wanted.itemsize or isinstance(values, np.memmap)


def blocks(values: Array) -> Iterator[tuple[int, Array]]:
    """The rows in blocks of about a megabyte, each with the number of its first row."""
    step = max(1, BLOCK // max(1, values[:1].nbytes))
    for start in range(0, len(values), step):
        yield start, values[start : start + step]


def _check(values: Array, name: str, wanted: np.dtype[Any]) -> None:
    """Go through a column, block by block; RowError where a number does not fit the dtype of its field."""
    find = _not_whole if wanted.kind == "i" else _not_finite
    for start, block in blocks(values):
        with np.errstate(over="ignore"):
            wrong = find(block, wanted)
        if wrong is not None and wrong.any():
            place = tuple(np.argwhere(wrong)[0])
            raise RowError(f"column {name!r}{_complaint(block[place], wanted)}", start + int(place[0]), name)


def _not_whole(block: Array, _: np.dtype[Any]) -> Array | None:
    """Where there are fractions, or what does not fit 64 bits; None where the dtype has neither."""
    if block.dtype.kind == "f":
        whole: Array = (block == np.floor(block)) & (np.abs(block) < 2**63)
        return ~whole
    return block > np.iinfo(np.int64).max if block.dtype == np.uint64 else None


def _not_finite(block: Array, wanted: np.dtype[Any]) -> Array | None:
    """Where there is nan or infinity, or a number too large; None where the dtype has none of them."""
    if block.dtype.kind != "f":
        return None
    finite: Array = np.isfinite(block.astype(wanted, copy=False))
    return ~finite


def _complaint(value: Any, wanted: np.dtype[Any]) -> str:
    """What is wrong with a number that does not fit."""
    if wanted.kind == "i":
        return f" is to hold integers (dtype: int64), but this is {value:g}"
    if not np.isfinite(value):
        return f": {value:g} is not a finite number"
    return f": {value:g} is too large for {wanted}; dtype: float64 can hold it"
