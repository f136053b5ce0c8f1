"""Weights of the elements: numbers in a config, of any shape that broadcasts to the input's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import AfterValidator

from declnet.core.component import Site
from declnet.core.spec import Array, Spec
from declnet.errors import ShapeError
from declnet.losses.reduction import Reducer, Reduction


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


class WeightedReducer(Reducer):
    """Reduces elements that have weights. `mean` divides by their number, whatever the weights."""

    def __init__(self, reduction: Reduction, site: Site, weight: Weights | None) -> None:
        """The elements are those of the first input."""
        x = site.input
        super().__init__(reduction, site, x.shape, np.array(x.size, x.dtype))
        self._weight = None if weight is None else np.array(weight, x.dtype)

    def forward(self) -> None:
        """Weigh and reduce the elements' losses."""
        if self._weight is not None:
            np.multiply(self.each, self._weight, out=self.each)
        super().forward()

    def scale(self, gradient: Array) -> None:
        """Turn the slopes of the elements' losses into a gradient."""
        super().scale(gradient)
        if self._weight is not None:
            np.multiply(gradient, self._weight, out=gradient)
