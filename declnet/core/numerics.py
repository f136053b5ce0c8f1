"""Shared numerics: element-wise work in cache-sized blocks, and bit tricks that several families use."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from declnet.core.spec import Array
from declnet.core.threads import cut, side_by_side

BLOCK = 1 << 15
"""Elements worked on at a time where several passes follow each other: what they touch stays in the L2 cache."""

LONG = 1 << 16
"""The same where threads work side by side, which gain little on short blocks: between two calls of NumPy each
waits its turn at the interpreter (measured: each doubling from 8,192 on is faster; on one thread it costs nothing).
"""

LINE = 64
"""Elements that lanes are cut at multiples of: no two threads write to one cache line."""


def blocks(*arrays: Array, length: int = BLOCK) -> list[tuple[Array, ...]]:
    """Cut C-contiguous arrays of one size into flat views of at most `length` elements, in step."""
    flats = [array.reshape(-1) for array in arrays]
    size = flats[0].size
    return [tuple(flat[start : start + length] for flat in flats) for start in range(0, size, length)]


def spread(size: int, passes: int) -> list[slice]:
    """Elements cut into lanes; `passes` is the cost of an element, as `cut` has it."""
    lines = -(-size // LINE)
    return [slice(lane.start * LINE, min(size, lane.stop * LINE)) for lane in cut(lines, LINE * passes)]


def lanes(*arrays: Array, passes: int) -> list[list[tuple[Array, ...]]]:
    """As `blocks`, those of each lane that threads may take, of at most `LONG` elements."""
    flats = [array.reshape(-1) for array in arrays]
    return [blocks(*(flat[lane] for flat in flats), length=LONG) for lane in spread(flats[0].size, passes)]


def product(left: Array, right: Array, out: Array) -> Callable[[], None]:
    """out = left * right, C-contiguous and of one size; a single pass, so each lane is one call."""
    flats = [array.reshape(-1) for array in (left, right, out)]
    return side_by_side([partial(np.multiply, *(flat[lane] for flat in flats)) for lane in spread(out.size, 1)])


SHARED = 10_000
"""Elements above which OpenBLAS shares a dot product among threads of its own, which then stand in our way."""


def total(flat: Array, *, alone: bool) -> Callable[[], Any]:
    """What sums up a vector's squares: a number that is finite where all of the vector are, unless it overflows.
    `alone` says that it runs beside no other lane.
    """
    if not alone or flat.size <= SHARED:
        return partial(np.dot, flat, flat)
    pieces = [piece for (piece,) in blocks(flat, length=SHARED)]
    return lambda: sum(piece.dot(piece) for piece in pieces)


@cache
def zeros(dtype: np.dtype[Any]) -> Array:
    """A block of zeros: an array operand makes `np.maximum` three times faster than a scalar does."""
    shared = np.zeros(LONG, dtype)
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


def horner(coefficients: Sequence[Array], x: Array, out: Array) -> None:
    """out = the polynomial of x with these coefficients, the highest power first."""
    first, second, *rest = coefficients
    np.multiply(x, first, out=out)
    np.add(out, second, out=out)
    for coefficient in rest:
        np.multiply(out, x, out=out)
        np.add(out, coefficient, out=out)


def room(scratch: Array, shape: tuple[int, ...]) -> Array:
    """As much of the scratch as an array of this shape takes."""
    return scratch.reshape(-1)[: math.prod(shape)].reshape(shape)


SPAN = 64
"""Terms added up one after another at most, in sums over rows."""

SHORT = 1024
"""Terms next to each other up to which a product with ones rounds as little as NumPy's sum by pairs does."""


def row_sums(source: Array, target: Array) -> Callable[[], Any]:
    """target (a, m) = source (a, n, m) summed over n, in blocks of rows and blocks of their sums.

    So rounding grows with log n: NumPy's own reduction adds rows one after another. As a product with ones it is
    also faster.
    """
    outer, rows, inner = source.shape
    if inner == 1:
        lines, sums = source[:, :, 0], target[:, 0]
        if rows > SHORT:
            return partial(np.add.reduce, lines, 1, out=sums)
        return partial(np.dot, lines, filled(source.dtype, rows, 1), sums)
    if rows <= 2 * SPAN:
        ones = np.ones(rows, source.dtype)
        if outer == 1:
            return partial(ones.dot, source[0], target[0])

        def add_few() -> None:
            np.matmul(ones, source, out=target)

        return add_few
    count, rest = divmod(rows, SPAN)
    ones, last = np.ones(SPAN, source.dtype), np.ones(rest, source.dtype)
    blocks = source[:, : count * SPAN].reshape(outer, count, SPAN, inner)
    sums, tail = np.empty((outer, count, inner), source.dtype), np.empty(target.shape, source.dtype)
    add_up = row_sums(sums, target)

    def add_rows(lane: slice) -> None:
        np.matmul(ones, blocks[:, lane], out=sums[:, lane])

    add_spans = side_by_side([partial(add_rows, lane) for lane in cut(count, outer * SPAN * inner)])

    def action() -> None:
        add_spans()
        add_up()
        if rest:
            np.matmul(last, source[:, count * SPAN :], out=tail)
            np.add(target, tail, out=target)

    return action


Pair = tuple[Array, Array | None, float]
"""Two vectors, or one and as many ones, and what their products are multiplied with."""


def add_products(pairs: Sequence[Pair], out: Array) -> Callable[[], Any]:
    """out = the sum of the products in all pairs of vectors, SHORT of them added up one after another at most."""
    if len(pairs) == 1 and pairs[0][0].size <= SHORT and pairs[0][2] == 1:
        left, right, _ = pairs[0]
        return partial(np.dot, left, filled(left.dtype, left.size, 1) if right is None else right, out)
    factors: list[float] = []
    parts: list[tuple[Array, Array]] = []
    for left, right, factor in pairs:
        even = left.size - left.size % SHORT
        ones = filled(left.dtype, SHORT, 1)
        for at, length in ((slice(even), SHORT), (slice(even, None), left.size - even)):
            if length and (lines := left[at].reshape(-1, length)).size:
                parts.append((lines, ones[:length] if right is None else right[at].reshape(-1, length)))
                factors += [factor] * len(lines)
    sums, ends = np.empty(len(factors), out.dtype), np.cumsum([len(lines) for lines, _ in parts])
    actions = [
        partial(np.vecdot, *lines, sums[end - len(lines[0]) : end]) for lines, end in zip(parts, ends, strict=True)
    ]
    total = add_products([(sums, np.array(factors, out.dtype), 1)], out)

    def action() -> None:
        for add_up in actions:
            add_up()
        total()

    return action


def summing(source: Array, target: Array) -> Callable[[], None]:
    """target = source, summed over the dimensions in which the target was broadcast."""
    sizes = (1,) * (source.ndim - target.ndim) + target.shape
    dims = tuple(dim for dim, size in enumerate(sizes) if size != source.shape[dim])
    kept = target.reshape(sizes)
    if not dims:
        return lambda: np.copyto(kept, source)
    first, last = dims[0], dims[-1] + 1
    if last < source.ndim and len(dims) == last - first:
        outer, rows, inner = (
            math.prod(part) for part in (source.shape[:first], source.shape[first:last], source.shape[last:])
        )
        return row_sums(source.reshape(outer, rows, inner), kept.reshape(outer, inner))

    def action() -> None:
        np.add.reduce(source, axis=dims, keepdims=True, out=kept)

    return action


def fold(function: np.ufunc, inputs: Sequence[Array], out: Array) -> Callable[[], None]:
    """out = function(function(first, second), third), ...; what is of another kind becomes one of the output's."""
    first, *rest = inputs
    promote = partial(function, dtype=out.dtype, casting="unsafe")
    pair = function if all(array.dtype == out.dtype for array in inputs) else promote

    def action() -> None:
        if not rest:
            np.copyto(out, first)
        left = first
        for right in rest:
            pair(left, right, out=out)
            left = out

    return action


def bits(array: Array) -> Array:
    """The same memory as signed integers of the same width, for work on sign bits."""
    return array.view(np.dtype(f"i{array.itemsize}"))
