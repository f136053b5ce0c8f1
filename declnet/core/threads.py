"""How many threads the matrix products use, and threads of our own.

NumPy's OpenBLAS starts all its threads for products that one thread finishes in microseconds: nothing is
gained, and on a busy machine, where its threads spin for one another, a step can take a hundred times longer.
What is many products anyway is therefore dealt out to threads of our own, each product to one of them, and they
meet once.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

    from declnet.core.component import Action

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


@cache
def given() -> int:
    """How many threads OpenBLAS was given, by its environment or the CPUs; one where it is not there."""
    functions = _openblas()
    return 1 if functions is None else functions[0]()


@contextmanager
def threads_for(flops: int) -> Iterator[None]:
    """Within the block, one thread where the largest product is small; else as many as OpenBLAS was given."""
    functions = _openblas() if flops < SMALL and given() > 1 else None
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


@cache
def _pool() -> ThreadPoolExecutor:
    """Threads beside the one that asks; they wait without using the CPU."""
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(given() - 1, "declnet")


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_pool.cache_clear)  # a fork has none of the threads


def side_by_side(lanes: Sequence[Action]) -> Action:
    """One action that runs all of these, which touch different memory, on as many threads as OpenBLAS was given.

    Their matrix products stay on one thread each.
    """
    count = min(given(), len(lanes))
    first, *others = [in_order(lanes[start::count]) for start in range(count)]
    if not others:
        return first

    def run() -> None:
        with threads_for(0):
            # NumPy's error state is part of the context.
            futures = [_pool().submit(copy_context().run, other) for other in others]
            try:
                first()
            finally:
                _meet(futures)

    return run


def _meet(futures: Sequence[Future[None]]) -> None:
    """Wait for all, then raise what one of them raised."""
    errors = [future.exception() for future in futures]
    for error in errors:
        if error is not None:
            raise error


def in_order(actions: Sequence[Action]) -> Action:
    """One action that runs these, one after another."""

    def run() -> None:
        for action in actions:
            action()

    return run
