"""What a benchmark is: sides that do the same work, measured in turn, and their answers compared."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

ROOT: Final = Path(__file__).parent.parent
OURS: Final = "declnet"

Answers = Mapping[str, Any]
"""What each side computed."""


class SideError(Exception):
    """A side that did not get through its work."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement of one side: how long it took, and what it computed."""

    seconds: float
    answer: Any = None


Take = Callable[[], Sample]
"""Measures a side once."""


@dataclass(frozen=True, kw_only=True)
class Workload(ABC):
    """Some work, and the sides that do it. One called `declnet` is compared with each of the others."""

    name: str
    title: str
    rounds: int = 11
    threaded: bool = True
    """Whether it is measured for each number of threads, or only with all."""

    @property
    @abstractmethod
    def sides(self) -> Sequence[str]:
        """Who takes part, in the order of a round."""

    @abstractmethod
    def open(self, side: str, threads: int) -> AbstractContextManager[Take]:
        """Start a side; what comes back measures it."""

    @abstractmethod
    def wrong(self, answers: Answers) -> list[str]:
        """Where the answers of a round differ more than rounding explains."""


@dataclass(frozen=True, slots=True)
class Result:
    """The seconds of every side, round by round, and what was wrong with the answers."""

    workload: Workload
    threads: int
    seconds: dict[str, list[float]]
    wrong: list[str]

    def ratios(self, side: str) -> list[float]:
        """How many times declnet's time a side took, round by round; empty where nothing is to be compared."""
        ours = self.seconds.get(OURS)
        if ours is None or side == OURS:
            return []
        return [theirs / own for theirs, own in zip(self.seconds[side], ours, strict=True)]

    @property
    def rival(self) -> str | None:
        """The fastest of those that declnet is compared with: the one that counts."""
        others = [side for side in self.seconds if self.ratios(side)]
        return min(others, key=lambda side: median(self.seconds[side]), default=None)


def measure(workload: Workload, threads: int, rounds: int) -> Result:
    """Warm every side up once, then measure them in turn, A B A B, and compare the answers of each round."""
    seconds: dict[str, list[float]] = {side: [] for side in workload.sides}
    wrong: list[str] = []
    with ExitStack() as stack:
        takes = {side: stack.enter_context(workload.open(side, threads)) for side in workload.sides}
        for take in takes.values():
            take()
        for _ in range(rounds):
            samples = {side: take() for side, take in takes.items()}
            for side, sample in samples.items():
                seconds[side].append(sample.seconds)
            wrong += workload.wrong({side: sample.answer for side, sample in samples.items()})
    return Result(workload, threads, seconds, list(dict.fromkeys(wrong)))


def environment(threads: int) -> dict[str, str]:
    """The environment of a child process: this checkout, the same number of threads for every library, and
    bytecode kept between runs, as it is for an installed package.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    counts = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    return {**kept, **counts, "PYTHONPATH": str(ROOT)}
