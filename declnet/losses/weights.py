"""Weights of the elements: numbers in a config, of any shape that broadcasts to the input's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import AfterValidator

from declnet.core.spec import Array, Spec
from declnet.errors import ShapeError


def _shape(weight: object) -> tuple[int, ...]:
    """The shape of nested numbers; refuse such as are in no shape."""
    if not isinstance(weight, Sequence):
        return ()
    inner = {_shape(item) for item in weight}
    if len(inner) > 1:
        raise ValueError("the lists within a list must be of one length")
    return (len(weight), *(inner.pop() if inner else ()))


def _rectangular(weight: Nested) -> Nested:
    _shape(weight)
    return weight


Row = tuple[float, ...]
Plane = tuple[Row, ...]
Block = tuple[Plane, ...]
Nested = float | Row | Plane | Block | tuple[Block, ...] | tuple[tuple[Block, ...], ...]
Weights = Annotated[Nested, AfterValidator(_rectangular)]
"""One number for all elements, or numbers for the last dimension, the last two, up to the last five."""


def require_fit(field: str, weight: Weights | None, input: Spec) -> None:
    """Refuse weights that do not broadcast to the input's shape."""
    shape = _shape(weight)
    sizes = input.shape[input.ndim - len(shape) :]
    if len(shape) > input.ndim or any(given not in (1, size) for given, size in zip(shape, sizes, strict=True)):
        raise ShapeError(
            f"{field} has the shape {Spec(shape)}, which does not fit the input {input}: counted from the last "
            "dimension, each size must be the input's or 1",
            field=field,
        )


def weigh(each: Array, weights: Sequence[Array]) -> None:
    """Multiply what belongs to the elements by their weights, where there are some."""
    for weight in weights:
        np.multiply(each, weight, out=each)
