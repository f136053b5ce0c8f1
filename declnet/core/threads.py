"""How many threads the matrix products use.

NumPy's OpenBLAS starts all its threads for products that one thread finishes in microseconds: nothing is
gained, and on a busy machine, where its threads spin for one another, a step can take a hundred times longer.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np

SMALL: Final = 8_000_000
"""Floating-point operations below which a second thread does not make a product faster (measured)."""


@cache
def _openblas() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """Getter and setter of the thread count in the OpenBLAS that NumPy's wheels bring; None elsewhere."""
    package = Path(np.__file__).parent
    for folder in (package.parent / "numpy.libs", package / ".dylibs"):
        for file in sorted(folder.glob("*openblas*")):
            library = ctypes.CDLL(str(file))  # loaded already: this only finds it
            for suffix in ("64_", ""):
                getter = getattr(library, f"scipy_openblas_get_num_threads{suffix}", None)
                setter = getattr(library, f"scipy_openblas_set_num_threads{suffix}", None)
                if getter is not None and setter is not None:
                    return getter, setter
    return None


@contextmanager
def threads_for(flops: int) -> Iterator[None]:
    """Within the block, one thread where the largest product is small; else as many as OpenBLAS was given."""
    functions = _openblas() if flops < SMALL else None
    if functions is None:
        yield
        return
    getter, setter = functions
    before = getter()
    setter(1)
    try:
        yield
    finally:
        setter(before)
