"""Matrix products that threads of our own share: cut by their sizes alone, so that the bits are the same on any
number of threads. OpenBLAS's own threads spin for one another, which on a busy machine costs a lot, and disturbs ours.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from declnet.core.spec import Array

if TYPE_CHECKING:
    from declnet.core.component import Action

WORTH: Final = 12_000_000
"""Floating-point operations that are worth a lane of their own (measured)."""

FEW: Final = 4
"""Lanes that are always allowed."""

WIDE: Final = 256
"""What a lane of more than a few has to have of the side that is cut: every lane packs the other factor anew."""


def product_lanes(left: Array, right: Array, out: Array, bias: Array | None = None) -> list[Action]:
    """out (m, n) = left (m, k) @ right (k, n), perhaps + bias (n): lanes that may run side by side.

    The longer side of the output is cut, so what each lane packs anew is the smaller factor.
    """
    rows, columns = out.shape
    longer = max(rows, columns)
    lanes = max(1, min(2 * out.size * len(right) // WORTH, max(FEW, longer // WIDE)))
    pieces = [slice(longer * lane // lanes, longer * (lane + 1) // lanes) for lane in range(lanes)]
    if rows >= columns:
        return [_lane(left[piece], right, out[piece], bias) for piece in pieces]
    return [_lane(left, right[:, piece], out[:, piece], None if bias is None else bias[piece]) for piece in pieces]


def _lane(left: Array, right: Array, out: Array, bias: Array | None) -> Action:
    """One product. `np.dot` takes half a microsecond less than `np.matmul`, and no output with gaps."""
    multiply = partial(np.dot if out.flags.c_contiguous else np.matmul, left, right, out)
    if bias is None:
        return multiply  # type: ignore[return-value] # what it returns is dropped

    def run() -> None:
        multiply()
        np.add(out, bias, out)

    return run
