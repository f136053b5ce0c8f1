"""Data fields: which columns of a source they are made of, their specs, and their rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from declnet.core.source import Asked, Column, Source, missing_value
from declnet.core.spec import Array, DType, Kind, Spec, numpy_dtype
from declnet.core.transform import MISSING, Cells, Rows, Texts, Transform
from declnet.data import chain
from declnet.errors import RowError, ShapeError
from declnet.records import record

BLOCK = 1 << 20
"""Bytes of a column that are looked at at a time."""


@record
class Field:
    """One data field: its columns, whether they are stacked to a vector, and the spec of one row as the model reads
    it. `transforms` make that of `cells`, what the columns hold.
    """

    columns: tuple[str, ...]
    stacked: bool
    spec: Spec
    cells: Cells
    transforms: tuple[Transform, ...] = ()

    @property
    def asked(self) -> tuple[Asked, ...]:
        """How its columns are to be read."""
        text = self.cells.kind == "text"
        return tuple(Asked(name, text, self.cells.gaps) for name in self.columns)


def field(
    known: Mapping[str, Column],
    columns: str | Sequence[str],
    kind: Kind | None,
    spared: Collection[str] = (),
    transforms: Sequence[Transform] = (),
) -> Field:
    """Describe a field; a `ShapeError` where its columns are unknown or do not stack, and a `FieldError` where
    a transform does not fit.

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
    if not names:
        raise ShapeError("a field needs at least one column")
    for name, column in zip(names, found, strict=True) if not alone else ():
        if column.shape:
            raise ShapeError(
                f"only columns of single numbers can be put in a list, and {name!r} holds {Spec(column.shape)}; "
                f"write it without brackets: {name}"
            )
    cells = chain.first_cells(names, found, kind, transforms, stacked=not alone)
    return Field(names, not alone, chain.steps(transforms, cells)[-1].spec, cells, tuple(transforms))


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


def read(source: Source, fields: Mapping[str, Field], dtype: DType) -> dict[str, Rows]:
    """The rows of all fields, as `stack` puts them together."""
    asked = asked_of(fields)
    return stack(dict(zip(asked, source.read_as(asked), strict=True)), fields, dtype)


def asked_of(fields: Mapping[str, Field]) -> list[Asked]:
    """The columns that fields are made of, each once for each way in which it is read."""
    return sorted({item for field in fields.values() for item in field.asked})


def stack(columns: dict[Asked, Rows], fields: Mapping[str, Field], dtype: DType) -> dict[str, Rows]:
    """Put columns together to fields, rows first, all cells checked; RowError where one does not fit. A column is
    taken out of `columns` with its last use.

    Most have the dtype that their field has. What would take more memory converted than it does now (bytes, a file
    mapped into memory, windows that overlap) is left as it is, for batches to convert the rows that they gather. A
    field with transforms is left as its columns are, of several columns in float64: what it becomes, and when, is
    decided by `Pipeline`.
    """
    uses = Counter(item for field in fields.values() for item in field.asked)
    rows: dict[str, Rows] = {}

    def take(asked: Asked) -> Rows:
        """A column; where nothing else is made of it, its memory is free once the caller is done."""
        uses[asked] -= 1
        return columns[asked] if uses[asked] else columns.pop(asked)

    for name, item in fields.items():
        wanted = np.dtype(np.float64) if item.transforms else numpy_dtype(item.spec.kind, dtype)
        if item.cells.kind == "int":
            wanted = numpy_dtype("int", dtype)
        first = take(item.asked[0])
        if isinstance(first, Texts) or item.cells.kind == "text":
            each = zip((first, *map(take, item.asked[1:])), item.asked, strict=True)
            texts = [_texts(column, asked) for column, asked in each]
            rows[name] = side_by_side(*texts) if item.stacked else texts[0]
            continue
        _check(first, item.asked[0], wanted)
        if not item.stacked:
            rows[name] = first if item.transforms or _is_left(first, wanted) else first.astype(wanted, order="C")
            continue
        array = np.empty((len(first), len(item.columns)), wanted)
        array[:, 0] = first
        del first
        for index, asked in enumerate(item.asked[1:], 1):
            column = take(asked)
            _check(column, asked, wanted)
            array[:, index] = column
        rows[name] = array
    return rows


def _texts(values: Rows, asked: Asked) -> Texts:
    """A column of texts. A source of arrays has none: its integers are, as they would be written in a table."""
    if isinstance(values, Texts):
        return values
    _check(values, asked, np.dtype(np.int64))
    missing = np.isnan(values)
    different, codes = np.unique(np.where(missing, 0, values).astype(np.int64), return_inverse=True)
    return Texts(np.where(missing, MISSING, codes.reshape(values.shape)), different.astype(np.str_))


def side_by_side(*rows: Rows) -> Texts:
    """Columns of texts as one field, with the texts of all of them."""
    columns = [column for column in rows if isinstance(column, Texts)]
    different, places = np.unique(np.concatenate([column.values for column in columns]), return_inverse=True)
    codes = np.empty((len(columns[0]), len(columns)), np.intc)
    for index, own in enumerate(np.split(places, np.cumsum([len(column.values) for column in columns])[:-1])):
        # MISSING is the last of the places.
        codes[:, index] = np.append(own, MISSING)[columns[index].codes]
    return Texts(codes, different)


def _is_left(values: Array, wanted: np.dtype[Any]) -> bool:
    """Whether a column stays as it is: it has the dtype already, or would only grow."""
    return (values.dtype == wanted and values.flags.c_contiguous) or grows(values, wanted)


def grows(values: Array, wanted: np.dtype[Any]) -> bool:
    """Whether rows would take more memory in another dtype: of bytes, a file mapped into memory, or windows that
    overlap.
    """
    if values.ndim == 1 or not values[0].flags.c_contiguous:
        return False
    overlap = values.strides[0] < values[0].nbytes
    return overlap or values.itemsize < wanted.itemsize or isinstance(values, np.memmap)


def blocks(values: Array) -> Iterator[tuple[int, Array]]:
    """The rows in blocks of about a megabyte, each with the number of its first row."""
    step = max(1, BLOCK // max(1, values[:1].nbytes))
    for start in range(0, len(values), step):
        yield start, values[start : start + step]


def _check(values: Rows, asked: Asked, wanted: np.dtype[Any]) -> None:
    """Go through a column, block by block; RowError where a number does not fit the dtype of its field."""
    if isinstance(values, Texts):
        raise AssertionError("texts that nobody asked for")
    find = _not_whole if wanted.kind == "i" else _not_finite
    for start, block in blocks(values):
        with np.errstate(over="ignore", invalid="ignore"):
            wrong = find(block, wanted)
        if wrong is not None and asked.gaps:
            wrong &= ~np.isnan(block)
        if wrong is not None and wrong.any():
            place = tuple(np.argwhere(wrong)[0])
            message = f"column {asked.column!r}{_complaint(block[place], wanted)}"
            raise RowError(message, start + int(place[0]), asked.column)


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
        hint = f", but a {missing_value()}" if np.isnan(value) else ""
        return f": {value:g} is not a finite number{hint}"
    return f": {value:g} is too large for {wanted}; dtype: float64 can hold it"
