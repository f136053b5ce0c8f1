"""Impute: something for cells that are missing."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import ClassVar, Literal, Self, final

import numpy as np
from pydantic import model_validator

from declnet.core.registry import transforms
from declnet.core.spec import Array
from declnet.core.transform import MISSING, Cells, Passes, Rows, State, StateSpec, Texts, Transform
from declnet.errors import ShapeError
from declnet.transforms.numbers import numbers
from declnet.transforms.vocabulary import as_texts, by_column, ordered, texts_of

HELD = 1 << 23
"""Numbers of the training rows held at a time where they are ranked: 64 MiB."""


def _most_frequent(values: Array) -> float:
    """Of several the smallest."""
    different, counts = np.unique(values, return_counts=True)
    return float(different[counts.argmax()])


@transforms.register
@final
class Impute(Transform):
    """Fill in missing cells: output = input, or what the strategy gives for its column where there is none.

    It comes first among the transforms of a field. Which cells are missing the source says: of a CSV file those
    that its `missing` lists, elsewhere null and nan. Predictions are left as they are.

    Shape:
        input: numbers or texts of any shape. output: floats or texts of the same shape.

    Parameters:
        strategy: mean or median of the column in the training rows, or the most frequent value, of several the
            smallest; constant: value. Of texts most_frequent and constant.
        value: what is filled in by constant, and by nothing else.

    Raises:
        ConfigError: a value is missing or too much.
        ShapeError: the strategy is not one for texts, or the value no number among numbers.
        DataError: a column has no value at all in the training rows.

    Reference: https://scikit-learn.org/stable/modules/generated/sklearn.impute.SimpleImputer.html
    """

    takes: ClassVar[Literal["number", "text", "any"]] = "any"
    fills: ClassVar[bool] = True
    invertible: ClassVar[bool] = True

    type: Literal["Impute"] = "Impute"
    strategy: Literal["mean", "median", "most_frequent", "constant"] = "mean"
    value: float | str | None = None

    @model_validator(mode="after")
    def _value_for_constant(self) -> Self:
        if self.strategy == "constant" and self.value is None:
            raise ValueError("value is what the strategy constant fills in, and there is none")
        if self.strategy != "constant" and self.value is not None:
            raise ValueError(f"value is for the strategy constant; {self.strategy} finds its own")
        return self

    def becomes(self, cells: Cells) -> Cells:
        """The same, and numbers as floats."""
        text = cells.kind == "text"
        if text and self.strategy in ("mean", "median"):
            raise ShapeError(
                f"texts have no {self.strategy}; most_frequent and constant are for texts", field="strategy"
            )
        if not text and isinstance(self.value, str):
            raise ShapeError(f"numbers are filled in with a number, not {self.value!r}", field="value")
        return cells if text else replace(cells, kind="float")

    def learned(self, cells: Cells) -> dict[str, StateSpec]:
        """What is filled in, by column."""
        text = cells.kind == "text"
        return {"fill": StateSpec((cells.columns if text else cells.parts,), text=text)}

    def fit(self, rows: Passes, cells: Cells) -> dict[str, Array]:
        """One value a column."""
        if cells.kind == "text":
            return {"fill": np.array(self._texts(rows, cells), np.str_)}
        if self.strategy == "constant":
            return {"fill": np.full(cells.parts, self.value, np.float64)}
        fill = self._means(rows, cells) if self.strategy == "mean" else self._ranked(rows, cells)
        if np.isnan(fill).any():
            raise _empty(self.strategy, int(np.argmax(np.isnan(fill))))
        return {"fill": fill}

    def _means(self, rows: Passes, cells: Cells) -> Array:
        total, count = np.zeros((2, cells.parts))
        for block in rows():
            values = cells.by_part(numbers(block))
            there = ~np.isnan(values)
            total += np.where(there, values, 0).sum(axis=(0, 2))
            count += there.sum(axis=(0, 2))
        mean: Array = np.divide(total, count, out=np.full(cells.parts, np.nan), where=count > 0)
        return mean

    def _ranked(self, rows: Passes, cells: Cells) -> Array:
        """Of some columns at a time, as many as fit the memory that is for them."""
        fill = np.full(cells.parts, np.nan)
        size = sum(len(block) for block in rows()) * math.prod(cells.shape[1:])
        step = max(1, HELD // size)
        for start in range(0, cells.parts, step):
            held = np.concatenate([cells.by_part(numbers(block))[:, start : start + step] for block in rows()])
            for part in range(held.shape[1]):
                values = held[:, part].reshape(-1)
                values = values[~np.isnan(values)]
                if values.size:
                    fill[start + part] = np.median(values) if self.strategy == "median" else _most_frequent(values)
        return fill

    def _texts(self, rows: Passes, cells: Cells) -> list[str]:
        if self.strategy == "constant":
            # A whole number stands for its digits, as YAML has read them.
            value = self.value
            return [str(int(value) if isinstance(value, float) and value.is_integer() else value)] * cells.columns
        counts: list[Counter[str]] = [Counter() for _ in range(cells.columns)]
        for block in rows():
            texts = as_texts(block)
            for own, codes in zip(counts, by_column(texts.codes, cells.columns), strict=True):
                different, often = np.unique(codes[codes != MISSING], return_counts=True)
                own.update(dict(zip(texts_of(texts.values[different]), often.tolist(), strict=True)))
        if not all(counts):
            raise _empty("most frequent one", next(index for index, own in enumerate(counts) if not own))
        return [ordered(text for text, often in own.items() if often == max(own.values()))[0] for own in counts]

    def apply(self, rows: Rows, state: State, cells: Cells) -> Rows:
        """Where a cell is missing, that of its column."""
        fill = state["fill"]
        if not isinstance(rows, Texts):
            values = numbers(rows)
            return np.where(np.isnan(values), cells.spread(fill), values)
        filled = by_column(rows.codes, cells.columns).astype(np.int64)
        missing = filled == MISSING
        filled[missing] = np.broadcast_to(np.arange(len(fill))[:, None], missing.shape)[missing] + len(rows.values)
        codes = filled.reshape(cells.columns, len(rows), -1).swapaxes(0, 1).reshape(rows.codes.shape)
        return Texts(codes, np.concatenate([rows.values, fill]))

    def invert(self, values: Array, state: State, cells: Cells) -> Array:
        """What was filled in cannot be told from what was there."""
        return values


def _empty(wanted: str, column: int) -> ShapeError:
    """Of a column of which the training rows have nothing."""
    return ShapeError(f"no training row has a value, so there is no {wanted}", argument=column)
