"""What is known of an array before it exists: its shape and its kind of number."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from declnet.records import record

Kind = Literal["float", "int", "bool"]
"""`float` is the config's dtype (float32 or float64), `int` is int64: index arrays and class labels."""

DType = Literal["float32", "float64"]

KINDS: dict[Kind, str] = {"float": "floating-point numbers", "int": "integers", "bool": "booleans"}
"""What messages call them."""

if TYPE_CHECKING:
    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
else:
    Array = Any  # naming NumPy's class here would import NumPy: app/later.py

ITEMSIZES: dict[str, int] = {"float32": 4, "float64": 8, "int": 8, "bool": 1}
"""Bytes of a number: a float by the config's dtype, others by their kind."""


def broadcast(first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of both together: sizes are compared from the last to the first, and 1 or none fits any other.
    ValueError where they do not fit.
    """
    first, second = ((1,) * (max(len(first), len(second)) - len(shape)) + shape for shape in (first, second))
    pairs = list(zip(first, second, strict=True))
    if any(one != other and 1 not in (one, other) for one, other in pairs):
        raise ValueError(f"{first} and {second} do not fit")
    return tuple(other if one == 1 else one for one, other in pairs)


def promoted(kinds: Iterable[Kind]) -> Kind:
    """The kind that all of these become together: float before int before bool, as PyTorch promotes them."""
    found = set(kinds)
    return "float" if "float" in found else "int" if "int" in found else "bool"


def numpy_dtype(kind: Kind, dtype: DType) -> np.dtype[Any]:
    """The NumPy dtype of a kind of number in a config of this dtype."""
    return np.dtype({"float": dtype, "int": "int64", "bool": "bool"}[kind])


@record
class Spec:
    """Shape and kind of an array. The batch dimension is part of the shape, as in PyTorch."""

    shape: tuple[int, ...]
    kind: Kind = "float"

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    def nbytes(self, dtype: DType) -> int:
        """Bytes it takes in a config of this dtype."""
        return self.size * ITEMSIZES[dtype if self.kind == "float" else self.kind]

    def __str__(self) -> str:
        """`(32, 64)`; integers and booleans say so: `(32,) int`."""
        shape = f"({self.shape[0]},)" if self.ndim == 1 else f"({', '.join(map(str, self.shape))})"
        return shape if self.kind == "float" else f"{shape} {self.kind}"
