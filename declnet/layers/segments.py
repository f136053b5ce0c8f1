"""Sums of the rows that go to one place, for places that are known only when a batch is there."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from declnet.core.component import Scratch
from declnet.core.spec import Array


class Segments:
    """Adds up the rows of `source` that have one index, and puts each sum into the row of `target` with it.

    Sorted by index, what belongs together is a run of neighbours. Its rows are added in pairs, then pairs of pairs:
    every pass is a few calls, however long runs are, and rounding grows with the logarithm of their length.
    """

    @staticmethod
    def scratch(count: int, width: int) -> dict[str, Scratch]:
        """Room for `count` rows of `width` numbers."""
        return {
            "key": Scratch((count,), "int"),
            "order": Scratch((count,), "int"),
            "row": Scratch((count,), "int"),
            "rank": Scratch((count,), "int"),
            "chosen": Scratch((count,), "bool"),
            "sorted": Scratch((count, width)),
            "room": Scratch((2, -(-count // 2), width)),
        }

    def __init__(
        self, indices: Array, source: Array, target: Array, scratch: Mapping[str, Array], *, mean: bool
    ) -> None:
        """`mean` divides each row by how many there are with its index."""
        self._indices, self._source, self._target, self._mean = indices, source, target, mean
        self._key, self._order, self._row, self._rank, self._sums, self._room = (
            scratch[name] for name in ("key", "order", "row", "rank", "sorted", "room")
        )
        self._chosen = scratch["chosen"]
        self._found = self._room.reshape(2 * self._room.shape[1], source.shape[1])
        self._bits = np.array(max(1, len(indices) - 1).bit_length())
        self._places = np.arange(len(indices))

    def add_up(self) -> None:
        """Target rows with an index are written, the others stay."""
        self._sort()
        heads = self._runs()
        np.take(self._source, self._order, axis=0, out=self._sums, mode="clip")
        if self._mean:
            counts = np.diff(heads, append=len(self._row))
            np.divide(self._sums, np.repeat(counts, counts)[:, None].astype(self._sums.dtype), out=self._sums)
        self._pair()
        found = self._found[: len(heads)]
        np.take(self._sums, heads, axis=0, out=found, mode="clip")
        self._target[self._row[heads]] = found

    def _sort(self) -> None:
        """Indices in order, and where each stood: both are in one number, so an unstable sort is stable."""
        np.left_shift(self._indices, self._bits, out=self._key)
        np.bitwise_or(self._key, self._places, out=self._key)
        self._key.sort()
        np.right_shift(self._key, self._bits, out=self._row)
        np.left_shift(self._row, self._bits, out=self._order)
        np.subtract(self._key, self._order, out=self._order)

    def _runs(self) -> Array:
        """Each one's rank in its run; where runs begin."""
        self._chosen.fill(True)
        np.not_equal(self._row[1:], self._row[:-1], out=self._chosen[1:])
        heads = np.flatnonzero(self._chosen)
        self._rank.fill(0)
        self._rank[heads] = heads
        np.maximum.accumulate(self._rank, out=self._rank)
        np.subtract(self._places, self._rank, out=self._rank)
        return heads

    def _pair(self) -> None:
        """Add to each row of an even rank the one behind it, then to each fourth that two behind it, ..."""
        step, longest = 1, int(self._rank.max(initial=0))
        while step <= longest:
            np.bitwise_and(self._rank, 2 * step - 1, out=self._key)
            right = np.flatnonzero(np.equal(self._key, step, out=self._chosen))
            left = right - step
            first, second = self._room[:, : len(right)]
            np.take(self._sums, left, axis=0, out=first, mode="clip")
            np.take(self._sums, right, axis=0, out=second, mode="clip")
            np.add(first, second, out=first)
            self._sums[left] = first
            step *= 2
