"""Parquet: a table in columns, as data frames are saved."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, final

import numpy as np

from declnet.core.registry import sources
from declnet.core.source import Column, Source
from declnet.core.spec import Array
from declnet.data.extras import needed
from declnet.data.files import first_line, opened, printable, quote, refusal
from declnet.errors import DataError

ROWS = 1 << 16
"""Rows decoded at a time."""


@sources.register
@final
class Parquet(Source):
    """A table in a Parquet file, as data frames are saved: only the columns that the config names are read.

    Nothing is guessed: a missing value, nan and infinity are mistakes.

    Shape:
        each column: one number a row, read as the config says: floats, or class indices with `dtype: int64`; true
            and false are 1 and 0. A column of lists that are all of one fixed size holds a vector a row.

    Parameters:
        path: the file; a relative path starts at the config's folder.

    Raises:
        ConfigError: pyarrow is not installed.
        DataError: the file can't be opened, is damaged, has no rows, or a value is missing.

    Reference: https://parquet.apache.org/docs/file-format/
    """

    type: Literal["Parquet"] = "Parquet"
    path: Path

    def columns(self) -> dict[str, Column]:
        """The columns of the schema."""
        with _open(self.path) as table:
            columns: dict[str, Column] = {}
            for field in table.schema_arrow:
                if field.name in columns:
                    raise refusal(self.path, f"two columns are called {quote(field.name)}")
                columns[field.name] = _column(field.type)
            return columns

    def read(self, columns: Sequence[str]) -> dict[str, Array]:
        """These columns, decoded a block of rows at a time."""
        parts: dict[str, list[Array]] = {name: [] for name in columns}
        count = 0
        with _open(self.path) as table:
            for batch in table.iter_batches(ROWS, columns=[*columns]):
                for name, part in parts.items():
                    part.append(self._numbers(batch.column(name), name, count))
                count += batch.num_rows
        if not count:
            raise refusal(self.path, "has no rows")
        return {name: np.concatenate(parts.pop(name)) for name in columns}  # pop: frees the parts once joined

    def _numbers(self, values: Any, name: str, before: int) -> Array:
        """A block of a column; `before` is how many rows came before it."""
        shape = _column(values.type).shape
        inner = shape if not values.null_count else ()  # a list that is missing has no items
        flat = values.flatten() if inner else values
        if flat.null_count:
            row = before + int(np.argmax(np.asarray(flat.is_null()))) // math.prod(inner)
            raise DataError(f"{printable(str(self.path))}: column {quote(name)}: missing value (row {row + 1})")
        array: Array = (flat.cast("double") if _is_decimal(flat.type) else flat).to_numpy(zero_copy_only=False)
        return array.reshape(len(values), *shape)


def _is_decimal(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_decimal(kind))


def _column(kind: Any) -> Column:
    """What a column of this Arrow type holds."""
    from pyarrow import types

    item = kind.value_type if types.is_fixed_size_list(kind) and kind.list_size > 0 else kind
    if types.is_boolean(item) or types.is_integer(item) or types.is_floating(item) or _is_decimal(item):
        return Column(() if item is kind else (kind.list_size,))
    what = printable(str(kind))
    return Column(refused=f"holds values of type {what}, and declnet reads numbers: save the column as numbers")


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    """The open file; what is wrong with it becomes a DataError."""
    with needed("Parquet", "pyarrow", "parquet"):
        import pyarrow
        from pyarrow import parquet
    with opened(path) as file:
        try:
            yield parquet.ParquetFile(file)
        except (pyarrow.ArrowException, ValueError) as error:  # ValueError: a name that is no UTF-8
            raise refusal(path, f"is not a Parquet file, or damaged: {first_line(error)}") from None
