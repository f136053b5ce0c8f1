"""The process behind sides: `python -m benchmarks.worker SOCKET LIBRARY`.

It imports the library, then forks for each connection. The fork gets a workload and a side, and answers questions
until the connection is closed.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from importlib import import_module
from itertools import repeat
from multiprocessing.connection import Connection, Listener
from typing import Any, Final

from benchmarks.frame import NUMBA, OURS, OWN, Sample, SideError
from benchmarks.memory import allocations, forget_peak, resident
from benchmarks.workers import Running, Served
from declnet.app.openblas import prepare

IMPORTED: Final[Mapping[str, tuple[str, ...]]] = {
    OURS: ("declnet.runner.model",),
    NUMBA: ("declnet.runner.model", "numba"),
    "torch": ("torch", "torch._inductor.compile_fx"),
}


def main(socket: str, library: str) -> None:
    """Fork for whoever connects."""
    if library in OWN:
        prepare(os.environ)  # as the command line does
    for module in IMPORTED[library]:
        import_module(module)
    if library in OWN:
        _choose(numba=library == NUMBA)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks
    with Listener(socket) as listener:
        print("ready", flush=True)
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nobody reads on: a library's words would block it
        while True:
            with listener.accept() as connection:
                if os.fork() == 0:
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    listener.close()
                    serve(connection)
                    os._exit(0)


def _choose(*, numba: bool) -> None:
    """Do without Numba, installed or not; or compile loops at once, off the clock as torch.compile does."""
    from declnet.core import fused

    if numba:
        fused.WORTH = 0  # type: ignore[misc]
    else:
        sys.modules["numba"] = None  # type: ignore[assignment]


def serve(connection: Connection[Any, Any]) -> None:
    """Answer questions about one side."""
    try:
        workload, side, seconds = connection.recv()
        assert isinstance(workload, Served)
        before = resident().get("VmRSS")
        with workload.running(side) as running:
            forget_peak()  # comparing answers takes memory that the work does not
            calls = 0
            while True:
                question = connection.recv()
                if question == "facts":
                    connection.send(_facts(running, before, ours=side in OWN))
                elif calls:
                    connection.send(Sample(timed(running, calls) / calls))
                else:
                    calls = calls_in(seconds, lambda calls: timed(running, calls))
                    connection.send(Sample(timed(running, calls) / calls, running.answer))
    except EOFError:
        return
    except Exception as error:  # noqa: BLE001 - whatever it is, the other end is told
        # What the compiler of torch.compile says can be pages long, and begins with the reason.
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        traceback.print_exc()
        connection.send(SideError(reason))


def timed(running: Running, calls: int) -> float:
    """Seconds that so many calls take, one after another."""
    once, prepare = running.once, running.prepare
    if prepare is None:
        begun = time.perf_counter()
        for _ in repeat(None, calls):
            once()
        return time.perf_counter() - begun
    seconds = 0.0
    for _ in repeat(None, calls):
        prepare()
        begun = time.perf_counter()
        once()
        seconds += time.perf_counter() - begun
    return seconds


def calls_in(seconds: float, time_of: Callable[[int], float]) -> int:
    """How many calls take about so long; at least one."""
    calls = 1
    while (spent := time_of(calls)) < seconds / 4:
        calls *= 2
    return max(1, round(calls * seconds / spent))


def _facts(running: Running, before: int | None, *, ours: bool) -> Mapping[str, float]:
    facts = dict(running.facts)
    if before is not None:
        facts["peak memory, bytes"] = resident()["VmHWM"] - before
    if ours:
        if running.prepare is not None:
            running.prepare()
        facts |= allocations(running.once)
    return facts


if __name__ == "__main__":
    main(*sys.argv[1:])
