"""Workloads that are whole processes: imports count, as they do for whoever waits for them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.frame import Conditions, Figure, Sample, Side, SideError, Workload, environment


@dataclass(frozen=True, kw_only=True)
class Processes(Workload):
    """Python's arguments for each side. `read` takes the answer off stdout."""

    commands: Mapping[str, Sequence[str]]
    read: Callable[[str], Sequence[Figure]] | None = None
    needs: str = ""
    """An environment variable that says in which folder its data are; `{folder}` in a command is that folder."""

    @property
    def sides(self) -> Sequence[str]:
        """One for each command."""
        return list(self.commands)

    def missing(self) -> str | None:
        """The folder that nobody named, or that is not there."""
        if not self.needs:
            return None
        if self.needs not in os.environ:
            return f"its data are not here: say in which folder they are with {self.needs}=FOLDER"
        return None if Path(os.environ[self.needs]).is_dir() else f"{self.needs} names no folder"

    @contextmanager
    def open(self, side: str, conditions: Conditions) -> Iterator[Side]:
        """A sample is one process from start to end, in an empty folder."""
        folder = str(Path(os.environ[self.needs]).resolve()) if self.needs else ""
        yield _Command(
            [sys.executable, *(word.format(folder=folder) for word in self.commands[side])], self, conditions
        )


class _Command(Side):
    """A command that is run once for each sample."""

    def __init__(self, command: Sequence[str], workload: Processes, conditions: Conditions) -> None:
        self._command, self._read = command, workload.read
        self._environment = environment(conditions.threads)

    def take(self) -> Sample:
        with tempfile.TemporaryDirectory() as folder:
            begun = time.perf_counter()
            done = subprocess.run(
                self._command, cwd=folder, env=self._environment, capture_output=True, text=True, check=False
            )
            seconds = time.perf_counter() - begun
        if done.returncode:
            raise SideError(f"exit code {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
        return Sample(seconds, self._read(done.stdout) if self._read else ())
