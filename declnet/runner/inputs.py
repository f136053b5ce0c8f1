"""Arrays that somebody gives a model to read: checked against its data fields, and cast to what they hold."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from declnet.core.spec import Array, DType, Kind, Spec, numpy_dtype
from declnet.core.suggest import did_you_mean, some
from declnet.data.table import Field
from declnet.errors import DataError

Rows = dict[str, Array]
"""One array for each data field that the model reads, rows first."""

EXPECTED: Mapping[Kind, str] = {
    "float": "finite numbers in the range of {dtype}",
    "int": "integers of 64 bits",
    "bool": "0 and 1",
}
"""What a field of this kind takes."""


def fitting(inputs: Mapping[str, Any], fields: Mapping[str, Field], dtype: DType) -> Rows:
    """What the model reads, of these arrays.

    DataError where one is missing, has another shape, or holds what the field does not.
    """
    require_names(inputs, fields)
    arrays = {name: np.asarray(inputs[name]) for name in fields}
    for name, array in arrays.items():
        require_shape(name, array.dtype, array.shape, fields[name].spec)
    require_counts({name: len(array) for name, array in arrays.items()})
    return {name: cast(name, array, fields[name].spec.kind, dtype) for name, array in arrays.items()}


def require_names(names: Collection[str], fields: Mapping[str, Field]) -> None:
    """DataError where a field is not among the names; others may be."""
    for name in fields:
        if name not in names:
            near = did_you_mean(name, names) or f"; there is {some(list(names))}"
            raise DataError(f"the model reads {name!r}, which is not among the inputs{near}")


def require_shape(name: str, dtype: np.dtype[Any], shape: tuple[int, ...], row: Spec) -> None:
    """DataError where an array of this dtype and shape does not hold rows of numbers as the field's."""
    if dtype.kind not in "biuf":
        raise DataError(f"input {name!r} holds {dtype}; expected numbers")
    if not shape or shape[1:] != row.shape:
        wanted = f"({', '.join(['N', *map(str, row.shape)])}{',' * (not row.shape)})"
        one = "; a single row is a batch of one: array[np.newaxis]" if shape == row.shape else ""
        raise DataError(f"input {name!r} has the shape {shape}; expected {wanted}, rows first{one}")


def require_counts(counts: Mapping[str, int]) -> None:
    """DataError where the inputs have different numbers of rows."""
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name} {count:,}" for name, count in counts.items())
        raise DataError(f"the inputs have different numbers of rows: {told}")


def cast(name: str, array: Array, kind: Kind, dtype: DType, first: int = 0) -> Array:
    """Rows in the dtype that the field has, `first` rows having come before. DataError where one does not fit."""
    with np.errstate(all="ignore"):
        found = array.astype(numpy_dtype(kind, dtype), copy=False)
        wrong = ~np.isfinite(found) if kind == "float" else found != array
    if wrong.any():
        index = tuple(map(int, np.argwhere(wrong)[0]))
        expected = EXPECTED[kind].format(dtype=dtype)
        raise DataError(f"input {name!r}: row {first + index[0] + 1} holds {array[index]:g}; expected {expected}")
    return found
