"""Arrays that somebody gives a model to read: checked against its data fields, and cast to what they hold."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from declnet.core.source import missing_value
from declnet.core.spec import Array, DType, Kind, numpy_dtype
from declnet.core.suggest import did_you_mean, some
from declnet.core.transform import MISSING, Cells, Texts
from declnet.data.table import Field
from declnet.data.texts import Dictionary
from declnet.errors import DataError, RowError
from declnet.runner.transformed import Learned

Rows = dict[str, Array]
"""One array for each data field that the model reads, rows first."""

EXPECTED: Mapping[Kind, str] = {
    "float": "finite numbers in the range of {dtype}",
    "int": "integers of 64 bits",
    "bool": "0 and 1",
}
"""What a field of this kind takes."""


def fitting(inputs: Mapping[str, Any], fields: Mapping[str, Field], learned: Learned, dtype: DType) -> Rows:
    """What the model reads, of these arrays of what its fields' columns hold.

    DataError where one is missing, has another shape, or holds what the field does not.
    """
    require_names(inputs, fields)
    arrays = {name: np.asarray(inputs[name]) for name in fields}
    for name, array in arrays.items():
        require_shape(name, array.dtype, array.shape, fields[name].cells)
    require_counts({name: len(array) for name, array in arrays.items()})
    return {name: prepared(name, array, fields[name], learned, dtype) for name, array in arrays.items()}


def prepared(name: str, array: Array, field: Field, learned: Learned, dtype: DType, *, first: int = 0) -> Array:
    """Rows as the model reads them, `first` rows having come before. DataError where one does not fit."""
    pipeline, cells = learned.pipelines.get(name), field.cells
    if pipeline is None:
        return cast(name, array, field.spec.kind, dtype, first)
    if cells.kind == "text":
        rows: Array | Texts = _texts(name, array, cells, first)
    else:
        rows = cast(name, array, cells.kind, "float64", first, gaps=cells.gaps)
    try:
        return pipeline.whole(rows, first=first)
    except RowError as error:
        raise DataError(f"input {name!r}: {error.message}") from None


def _texts(name: str, array: Array, cells: Cells, first: int) -> Texts:
    """Rows of texts, without the spaces around them; None, nan and the empty text are missing."""
    texts = Dictionary()
    codes = texts.encode([_text(cell) for cell in array.reshape(-1).tolist()]).reshape(array.shape)
    if not cells.gaps and (codes == MISSING).any():
        row = first + int(np.argwhere(codes == MISSING)[0][0]) + 1
        raise DataError(f"input {name!r}: row {row} holds a {missing_value()}")
    return texts.rows(codes)


def _text(cell: object) -> str:
    return "" if cell is None or (isinstance(cell, float) and math.isnan(cell)) else str(cell)


def require_names(names: Collection[str], fields: Mapping[str, Field]) -> None:
    """DataError where a field is not among the names; others may be."""
    for name in fields:
        if name not in names:
            near = did_you_mean(name, names) or f"; there is {some(list(names))}"
            raise DataError(f"the model reads {name!r}, which is not among the inputs{near}")


def require_shape(name: str, dtype: np.dtype[Any], shape: tuple[int, ...], row: Cells) -> None:
    """DataError where an array of this dtype and shape does not hold rows as the field's columns do."""
    text = row.kind == "text"
    if dtype.kind not in ("biuUO" if text else "biuf"):
        raise DataError(f"input {name!r} holds {dtype}; expected {'texts' if text else 'numbers'}")
    if not shape or shape[1:] != row.shape:
        wanted = f"({', '.join(['N', *map(str, row.shape)])}{',' * (not row.shape)})"
        one = "; a single row is a batch of one: array[np.newaxis]" if shape == row.shape else ""
        raise DataError(f"input {name!r} has the shape {shape}; expected {wanted}, rows first{one}")


def require_counts(counts: Mapping[str, int]) -> None:
    """DataError where the inputs have different numbers of rows."""
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name} {count:,}" for name, count in counts.items())
        raise DataError(f"the inputs have different numbers of rows: {told}")


def cast(name: str, array: Array, kind: Kind, dtype: DType, first: int = 0, *, gaps: bool = False) -> Array:
    """Rows in the dtype that the field has, `first` rows having come before. DataError where one does not fit; with
    `gaps` nan may stand for a missing number.
    """
    with np.errstate(all="ignore"):
        found = array.astype(numpy_dtype(kind, dtype), copy=False)
        wrong = ~np.isfinite(found) if kind == "float" else found != array
        if gaps:
            wrong &= ~np.isnan(found)
    if wrong.any():
        index = tuple(map(int, np.argwhere(wrong)[0]))
        expected = EXPECTED[kind].format(dtype=dtype)
        raise DataError(f"input {name!r}: row {first + index[0] + 1} holds {array[index]:g}; expected {expected}")
    return found
