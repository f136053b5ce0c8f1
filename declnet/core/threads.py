"""How many threads the matrix products use, and threads of our own.

NumPy's OpenBLAS starts all its threads for products that one thread finishes in microseconds: nothing is
gained, and on a busy machine, where its threads spin for one another, a step can take a hundred times longer.
What is many products anyway is therefore dealt out to threads of our own, each product to one of them, and they
meet once. So is element-wise work, which NumPy leaves on one thread.

Work is cut into lanes by its size alone (`cut` says how), never by the number of threads: each lane writes memory
of its own, whoever runs it, so the same bits come out on any number of threads. NumPy lets go of the interpreter
while it computes, so a lane is best a few calls on long arrays.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from functools import cache, partial
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Final

import numpy as np

from declnet.core.cpus import cpus

if TYPE_CHECKING:
    from declnet.core.component import Action

SMALL: Final = 8_000_000
"""Floating-point operations below which a second thread does not make a product faster (measured)."""

LANES: Final = 8
"""Lanes at most: more than there are threads, so that one which starts late leaves its share to the others."""

LANE: Final = 1 << 19
"""Elements times passes over them that are worth a lane of their own: a second thread, which has to be woken and
takes turns with the first one at the interpreter, gains nothing below some twice as much (measured).
"""


CROWD: Final = 4
"""Threads at most that take turns at the interpreter: eight take longer than four for passes of NumPy, and for
convolutions (measured on sixteen cores).
"""


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
    """How many threads to use: as many as OpenBLAS was given, by its environment or the CPUs that the process may
    use. Where NumPy computes with something else, the environment says, or the CPUs.
    """
    functions = _openblas()
    if functions is not None:
        return functions[0]()
    said = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()  # a number for each level of nesting
    if said.isdecimal() and int(said):
        return int(said)
    return cpus()


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
def _tickets() -> SimpleQueue[Action]:
    """Where threads beside the one that asks take what there is to help with; they wait without using the CPU."""
    tickets: SimpleQueue[Action] = SimpleQueue()

    def serve() -> None:
        while True:
            tickets.get()()

    for _ in range(given() - 1):
        Thread(target=serve, name="declnet", daemon=True).start()
    return tickets


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_tickets.cache_clear)  # a fork has none of the threads


def cut(items: int, cost: int) -> list[slice]:
    """Cut that many items (elements, rows) into lanes, runs of about the same length; one where that is too little.

    `cost` is what an item takes: its elements times the passes over them, a division or an exponential counting for
    two or more.
    """
    lanes = max(1, min(LANES, items, items * cost // LANE))
    return [slice(items * lane // lanes, items * (lane + 1) // lanes) for lane in range(lanes)]


def side_by_side(lanes: Sequence[Action], *, crowd: int = CROWD) -> Action:
    """One action that runs all of these, which touch different memory, on as many threads as were given; at most
    `crowd` of them, which may be more where a lane is a single call that lets go of the interpreter.

    Their matrix products stay on one thread each. A lane may itself run lanes side by side.
    """
    helpers = min(given(), len(lanes), crowd) - 1
    if helpers < 1:
        return in_order(lanes)

    def run() -> None:
        with threads_for(0):
            _run(lanes, helpers)

    return run


def _run(lanes: Sequence[Action], helpers: int) -> None:
    """Each thread takes the next lane until there is none; then raise what the first one that failed raised.

    Nobody waits for a thread that did not come in time to take a lane: it finds nothing left to do.
    """
    taken, ended = count(), count(1)  # whose next number is taken by one thread at a time
    last, failed = len(lanes), dict[int, BaseException]()
    done = Lock()
    done.acquire()

    def help_out() -> None:
        while (lane := next(taken)) < last:
            try:
                lanes[lane]()
            except BaseException as error:  # noqa: BLE001  raised below, where the others have ended too
                failed[lane] = error
            if next(ended) == last:
                done.release()

    for _ in range(helpers):
        _tickets().put(partial(copy_context().run, help_out))  # NumPy's error state is part of the context
    help_out()
    done.acquire()
    if failed:
        raise failed[min(failed)]


def in_order(actions: Sequence[Action]) -> Action:
    """One action that runs these, one after another; a single one as it is."""
    if len(actions) == 1:
        return actions[0]

    def run() -> None:
        for action in actions:
            action()

    return run
