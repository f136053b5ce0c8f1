"""Data fields: which columns of a source they are made of, their specs, and their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from declnet.core.source import Column, Source
from declnet.core.spec import Array, DType, Kind, Spec, numpy_dtype
from declnet.errors import RowError, ShapeError


@dataclass(frozen=True, slots=True)
class Field:
    """One data field: its columns, whether they are stacked to a vector, and the spec of one row."""

    columns: tuple[str, ...]
    stacked: bool
    spec: Spec


def field(known: Mapping[str, Column], columns: str | Sequence[str], kind: Kind | None) -> Field:
    """Describe a field; a `ShapeError` where its columns are unknown or do not stack."""
    names = (columns,) if isinstance(columns, str) else tuple(columns)
    for name in names:
        if name not in known:
            raise ShapeError(f"the source has no column {name!r}", field=name)
    found = [known[name] for name in names]
    kinds = {column.kind for column in found} - {None}
    own: Kind = "float" if not kinds else next(iter(k for k in kinds if k)) if len(kinds) == 1 else "float"
    if isinstance(columns, str):
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


def read(source: Source, fields: Mapping[str, Field], dtype: DType) -> dict[str, Array]:
    """The rows of all fields, one C-contiguous array each, rows first."""
    return stack(source.read(columns_of(fields)), fields, dtype)


def columns_of(fields: Mapping[str, Field]) -> list[str]:
    """The columns that fields are made of, each once."""
    return sorted({name for item in fields.values() for name in item.columns})


def stack(columns: Mapping[str, Array], fields: Mapping[str, Field], dtype: DType) -> dict[str, Array]:
    """Put columns together to fields; RowError where a number does not fit."""
    arrays: dict[str, Array] = {}
    for name, item in fields.items():
        parts = [cast(columns[column], column, item.spec.kind, dtype) for column in item.columns]
        arrays[name] = np.stack(parts, axis=1) if item.stacked else np.ascontiguousarray(parts[0])
    return arrays


def cast(values: Array, name: str, kind: Kind, dtype: DType) -> Array:
    """A column in the dtype that its field has; RowError where a number does not fit."""
    if kind == "int":
        _require_integers(values, name)
    with np.errstate(over="ignore"):
        cast = values.astype(numpy_dtype(kind, dtype), copy=False)
    if kind == "float" and not np.isfinite(cast).all():
        row = int(np.argwhere(~np.isfinite(cast))[0][0])
        raise RowError(
            f"column {name!r}: {values[row]:g} is too large for {dtype}; dtype: float64 can hold it", row, name
        )
    return cast


def _require_integers(values: Array, name: str) -> None:
    """Refuse fractions and what does not fit 64 bits in a column that is to hold integers."""
    if values.dtype.kind != "f":
        return
    wrong = (values != np.floor(values)) | (np.abs(values) >= 2**63)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise RowError(
            f"column {name!r} is to hold integers (dtype: int64), but this is {values[row]:g}", row, name
        )


def split(rows: int, shares: Sequence[float], rng: np.random.Generator) -> list[Array]:
    """Row numbers of each share, drawn at random, each in ascending order.

    The ends are rounded, not the sizes, so shares that sum to 1 leave no row out.
    """
    order = rng.permutation(rows)
    ends = [0, *np.rint(np.minimum(np.cumsum(shares), 1) * rows).astype(int)]
    return [np.sort(order[start:end]) for start, end in pairwise(ends)]
