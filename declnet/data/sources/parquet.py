"""Parquet: a table in columns, as data frames are saved."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, final

import numpy as np

from declnet.core.registry import sources
from declnet.core.source import Asked, Column, Source, missing_value
from declnet.core.spec import Array
from declnet.core.transform import MISSING, Rows
from declnet.data.extras import needed
from declnet.data.files import first_line, opened, printable, quote, refusal
from declnet.data.texts import Dictionary
from declnet.errors import DataError

ROWS = 1 << 16
"""Rows decoded at a time."""


@sources.register
@final
class Parquet(Source):
    """A table in a Parquet file, as data frames are saved: only the columns that the config names are read.

    Nothing is guessed: a missing value is a mistake where no transform fills it in, and so are nan and infinity.

    Shape:
        each column: one number a row, read as the config says: floats, or class indices with `dtype: int64`; true
            and false are 1 and 0. A column of lists that are all of one fixed size holds a vector a row. Or one
            text a row, for transforms that take texts; what is empty is missing.

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
        """These columns as numbers."""
        read = self.read_as([Asked(name) for name in columns])
        return {name: rows for name, rows in zip(columns, read, strict=True) if isinstance(rows, np.ndarray)}

    def read_as(self, asked: Sequence[Asked]) -> list[Rows]:
        """These columns, decoded a block of rows at a time."""
        parts: dict[Asked, list[Array]] = {item: [] for item in asked}
        texts = {item: Dictionary() for item in parts if item.text}
        count = 0
        with _open(self.path) as table:
            for batch in table.iter_batches(ROWS, columns=[*dict.fromkeys(item.column for item in asked)]):
                for item, part in parts.items():
                    values, own = batch.column(item.column), texts.get(item)
                    part.append(
                        self._numbers(values, item, count) if own is None else self._texts(values, item, own, count)
                    )
                count += batch.num_rows
        if not count:
            raise refusal(self.path, "has no rows")
        arrays = {item: np.concatenate(parts.pop(item)) for item in [*parts]}  # pop: frees the parts once joined
        return [texts[item].rows(arrays[item]) if item.text else arrays[item] for item in asked]

    def _texts(self, values: Any, asked: Asked, texts: Dictionary, before: int) -> Array:
        """A block of a column of texts; those that are numbers are written out."""
        encoded = values.cast("string").dictionary_encode()
        known = texts.encode([text or "" for text in encoded.dictionary.to_pylist()])
        # MISSING is the last of the texts.
        codes: Array = np.append(known, np.intc(MISSING))[
            encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        ]
        if not asked.gaps and (codes == MISSING).any():
            raise self._missing(asked, before + int(np.argmax(codes == MISSING)))
        return codes

    def _numbers(self, values: Any, asked: Asked, before: int) -> Array:
        """A block of a column; `before` is how many rows came before it."""
        shape = _column(values.type).shape
        inner = shape if not values.null_count else ()  # a list that is missing has no items
        flat = values.flatten() if inner else values
        if flat.null_count and (shape or not asked.gaps):
            raise self._missing(asked, before + int(np.argmax(np.asarray(flat.is_null()))) // math.prod(inner))
        if flat.null_count or _is_decimal(flat.type):
            flat = flat.cast("double")
        array: Array = flat.to_numpy(zero_copy_only=False)
        return array.reshape(len(values), *shape)

    def _missing(self, asked: Asked, row: int) -> DataError:
        name = printable(str(self.path))
        return DataError(f"{name}: column {quote(asked.column)}: {missing_value()} (row {row + 1})")


def _is_decimal(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_decimal(kind))


def _column(kind: Any) -> Column:
    """What a column of this Arrow type holds."""
    from pyarrow import types

    item = kind.value_type if types.is_fixed_size_list(kind) and kind.list_size > 0 else kind
    if types.is_boolean(item) or types.is_integer(item) or types.is_floating(item) or _is_decimal(item):
        return Column(text="may") if item is kind else Column((kind.list_size,))
    plain = kind.value_type if types.is_dictionary(kind) else kind
    if types.is_string(plain) or types.is_large_string(plain):
        return Column(text="yes")
    what = printable(str(kind))
    return Column(
        refused=f"holds values of type {what}, and declnet reads numbers and texts: save it as one of them"
    )


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
