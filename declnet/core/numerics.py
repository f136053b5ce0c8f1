"""Shared numerics: element-wise work in cache-sized blocks, and bit tricks that several families use."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from declnet.core.spec import Array

BLOCK = 1 << 14
"""Elements worked on at a time where several passes follow each other: what they touch stays in the L2 cache."""


def blocks(*arrays: Array) -> list[tuple[Array, ...]]:
    """Cut C-contiguous arrays of one size into flat views of at most `BLOCK` elements, in step."""
    flats = [array.reshape(-1) for array in arrays]
    size = flats[0].size
    return [tuple(flat[start : start + BLOCK] for flat in flats) for start in range(0, size, BLOCK)]


@cache
def zeros(dtype: np.dtype[Any]) -> Array:
    """A block of zeros: an array operand makes `np.maximum` three times faster than a scalar does."""
    shared = np.zeros(BLOCK, dtype)
    shared.flags.writeable = False
    return shared


@cache
def shared(dtype: np.dtype[Any], *numbers: float) -> tuple[Array, ...]:
    """Numbers as arrays without dimensions, the same ones for all blocks: large values have thousands of blocks."""
    return tuple(np.array(number, dtype) for number in numbers)


@cache
def filled(dtype: np.dtype[Any], size: int, number: float) -> Array:
    """A vector of one number, the same one for all blocks: a product with it is the fastest sum or mean."""
    vector = np.full(size, number, dtype)
    vector.flags.writeable = False
    return vector


def bits(array: Array) -> Array:
    """The same memory as signed integers of the same width, for work on sign bits."""
    return array.view(np.dtype(f"i{array.itemsize}"))
