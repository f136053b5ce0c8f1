"""What this machine can do at most, measured in this process: matrix products and copies.

The rates are those of the best of several rounds: a limit is what is reached when nothing else is in the way.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from declnet.core.spec import DType
from declnet.core.threads import given, side_by_side
from declnet.plan.store import aligned
from declnet.records import record

SIZE: Final = 768
"""Rows and columns of the matrices: OpenBLAS is at its best from some 512 on, in both dtypes (measured)."""
ROUND: Final = 1e-3
"""Seconds that one round takes at least, so that the clock does not count."""
ROUNDS: Final = 3
CACHES: Final = Path("/sys/devices/system/cpu/cpu0/cache")
"""Where Linux says how large they are."""
CACHE: Final = 32 << 20
"""Bytes of the last one where the system does not say."""
_UNITS: Final = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


@record
class Limits:
    """What bounds a step: no node can be faster than its operations and its bytes allow."""

    flops: float
    """Floating-point operations a second of matrix products, a multiply-add counted as two."""
    bandwidth: float
    """Bytes a second, read or written, of a copy whose two ends together are as large as `nbytes`."""
    nbytes: int
    memory: float
    """The same of a copy that is larger than all caches."""


def limits(dtype: DType, nbytes: int) -> Limits:
    """Measure, in about half a second; `nbytes` are those that a step goes through, which fit into a cache or not.

    The matrix products run on as many threads as those of the caller would.
    """
    memory = copy_rate(beyond := beyond_caches())
    return Limits(product_rate(dtype), memory if nbytes >= beyond else copy_rate(nbytes), nbytes, memory)


def product_rate(dtype: DType, seconds: float = 0.1) -> float:
    """Floating-point operations a second of NumPy's BLAS on square matrices, with the threads it has now."""
    left, right, out = (np.ones((SIZE, SIZE), dtype) for _ in range(3))
    return 2 * SIZE**3 / best(lambda: np.matmul(left, right, out=out), seconds)


def copy_rate(nbytes: int | None = None, seconds: float = 0.1) -> float:
    """Bytes a second, read and written ones, of a copy whose two ends together are so large; larger than all caches
    if left out. On one thread, or on all, dealt out among them: what is faster.
    """
    size = (beyond_caches() if nbytes is None else max(nbytes, 2)) // 2
    source, target = aligned(size), aligned(size)
    source.fill(1)  # memory that nobody has written to is not there yet

    def copy(first: int, last: int) -> Callable[[], None]:
        to, of = target[first:last], source[first:last]
        return lambda: np.copyto(to, of)

    edges = [size * part // given() for part in range(given() + 1)]
    together = side_by_side([copy(*ends) for ends in pairwise(edges)])
    forms = [copy(0, size), together] if given() > 1 else [together]
    return 2 * size / min(best(form, seconds / len(forms)) for form in forms)


def beyond_caches() -> int:
    """Bytes of which a copy goes through memory, whatever was there before: four times the last cache."""
    return 4 * last_cache()


def last_cache() -> int:
    """Bytes of the last cache."""
    sizes = (file.read_text("ascii") for file in CACHES.glob("index*/size"))
    found = [re.fullmatch(r"(\d+)([KMG]?)\s*", text) for text in sizes]
    return max((int(match[1]) * _UNITS[match[2]] for match in found if match), default=CACHE)


def best(action: Callable[[], object], seconds: float) -> float:
    """The seconds that an action takes in the best of the rounds that fit into so many."""
    begun = time.perf_counter()
    action()
    count = max(1, round(ROUND / max(time.perf_counter() - begun, 1e-9)))  # of a first call, which is a slow one
    found: list[float] = []
    while len(found) < ROUNDS or time.perf_counter() - begun < seconds:
        start = time.perf_counter()
        for _ in range(count):
            action()
        found.append((time.perf_counter() - start) / count)
    return min(found)
