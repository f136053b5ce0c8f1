"""Workloads that are whole processes: imports count, as they do for whoever waits for them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.frame import Answers, Sample, SideError, Take, Workload, environment


@dataclass(frozen=True, kw_only=True)
class Processes(Workload):
    """Python's arguments for each side. `read` takes the answer off stdout, `check` compares the answers."""

    commands: Mapping[str, Sequence[str]]
    read: Callable[[str], Any] = str
    check: Callable[[Answers], list[str]] | None = None

    @property
    def sides(self) -> Sequence[str]:
        """One for each command."""
        return list(self.commands)

    @contextmanager
    def open(self, side: str, threads: int) -> Iterator[Take]:
        """A sample is one process from start to end, in an empty folder."""
        command = [sys.executable, *self.commands[side]]

        def take() -> Sample:
            with tempfile.TemporaryDirectory() as folder:
                begun = time.perf_counter()
                done = subprocess.run(
                    command, cwd=folder, env=environment(threads), capture_output=True, text=True, check=False
                )
                seconds = time.perf_counter() - begun
            if done.returncode:
                raise SideError(f"{self.name}, {side}: exit code {done.returncode}\n{done.stderr}")
            return Sample(seconds, self.read(done.stdout))

        yield take

    def wrong(self, answers: Answers) -> list[str]:
        """What `check` finds."""
        return self.check(answers) if self.check else []
