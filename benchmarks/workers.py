"""Processes that are ready to work: each has imported one library, and is forked for every side that needs it.

A side is a process of its own, because the thread pools of two libraries in one process disturb each other. Forking
spares it the import, which would take longer than most measurements; nothing has run yet where it is forked.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Client, Connection
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, NamedTuple, Self

from benchmarks.frame import OWN, ROOT, Conditions, Figure, Sample, Side, SideError, Workload, environment


class Workers:
    """One process for each library and number of threads, from when it is first asked for to the end."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._sockets: dict[tuple[str, int], Path] = {}

    def __enter__(self) -> Self:
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def connect(self, library: str, threads: int) -> Connection[Any, Any]:
        """Fork a process that has imported this library; it ends when the connection is closed."""
        key = library, threads
        if key not in self._sockets:
            socket = self._folder / f"{library}-{threads}"
            process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.worker", str(socket), library],
                cwd=ROOT,
                env=environment(threads),
                stdout=subprocess.PIPE,
                text=True,
            )
            self._stack.callback(_end, process)
            assert process.stdout is not None
            if not process.stdout.readline():
                raise SideError(f"the worker for {library} ended with exit code {process.wait()}")
            self._sockets[key] = socket
        return Client(str(self._sockets[key]))


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.communicate()


class _Remote(Side):
    """A side in a worker."""

    def __init__(self, connection: Connection[Any, Any]) -> None:
        self._connection = connection

    def _ask(self, question: str) -> Any:
        try:
            self._connection.send(question)
            reply = self._connection.recv()
        except (EOFError, OSError):
            raise SideError("the worker is gone: killed, perhaps for its memory") from None
        if isinstance(reply, SideError):
            raise reply
        return reply

    def take(self) -> Sample:
        sample: Sample = self._ask("sample")
        return sample

    def facts(self) -> Mapping[str, float]:
        found: Mapping[str, float] = self._ask("facts")
        return found


class Running(NamedTuple):
    """Work that is ready to be done again and again."""

    once: Callable[[], object]
    answer: Sequence[Figure]
    """What it computed when it was done for the first time."""
    prepare: Callable[[], object] | None = None
    """What has to be done before each time, off the clock."""
    facts: Mapping[str, float] = MappingProxyType({})
    """What is known of the work, such as the operations and the bytes that it takes."""


@dataclass(frozen=True, kw_only=True)
class Served(Workload):
    """A workload whose sides are workers. It travels to them by pickle, so what it is made of has a name there."""

    @abstractmethod
    def running(self, side: str) -> AbstractContextManager[Running]:
        """In a worker: get the work of a side ready."""

    @contextmanager
    def open(self, side: str, conditions: Conditions) -> Iterator[Side]:
        """A worker."""
        library = side if side in OWN else "torch"
        with conditions.workers.connect(library, conditions.threads) as connection:
            connection.send((self, side, conditions.seconds))
            yield _Remote(connection)
