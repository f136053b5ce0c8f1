"""What a benchmark is: sides that do the same work, measured in turn, and their answers compared."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from benchmarks.workers import Workers

ROOT: Final = Path(__file__).parent.parent
OURS: Final = "declnet"
NUMBA: Final = "declnet numba"
"""declnet where its extra of that name is installed. It is shown, and counts neither as declnet nor as another."""
OWN: Final = (OURS, NUMBA)


class SideError(Exception):
    """A side that did not get through its work."""


class Figure(NamedTuple):
    """A number that a side computed, and how far another side's may be from it."""

    name: str
    value: float
    tolerance: float


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement of one side: how long its work took once, and what it computed, where it says so."""

    seconds: float
    answer: Sequence[Figure] = ()


class Conditions(NamedTuple):
    """Under which a workload is measured."""

    threads: int
    rounds: int
    seconds: float
    """How long a sample lasts, of work that is repeated."""
    workers: Workers
    without: frozenset[str] = frozenset()
    """Sides that are left out."""


class Side(ABC):
    """A side that has been started."""

    @abstractmethod
    def take(self) -> Sample:
        """Measure it once."""

    def facts(self) -> Mapping[str, float]:
        """What else is known of it, asked for after all samples are taken."""
        return {}


@dataclass(frozen=True, kw_only=True)
class Workload(ABC):
    """Some work, and the sides that do it. One called `declnet` is compared with each of the others."""

    name: str
    title: str
    group: str
    goal: float | None = None
    """How many times as fast as the fastest other declnet is to be; of the overhead, seconds a node at most."""
    rounds: int = 7
    threaded: bool = True
    """Whether it is measured for each number of threads, or only with all."""

    @property
    @abstractmethod
    def sides(self) -> Sequence[str]:
        """Who takes part, in the order of a round."""

    @abstractmethod
    def open(self, side: str, conditions: Conditions) -> AbstractContextManager[Side]:
        """Start a side."""

    def missing(self) -> str | None:
        """Why it cannot be measured here, if it cannot."""
        return None


@dataclass(slots=True)
class Result:
    """What came of a workload: nothing but numbers and names, so that it can be written down and read again."""

    name: str
    title: str
    group: str
    goal: float | None
    threads: int
    seconds: dict[str, list[float]] = field(default_factory=dict)
    """Of every side, round by round."""
    facts: dict[str, dict[str, float]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    """Sides that did not get through, and why."""
    wrong: list[str] = field(default_factory=list)
    """Where the answers differ more than rounding explains."""

    def ratios(self, side: str) -> list[float]:
        """How many times declnet's time a side took, round by round; empty where nothing is to be compared."""
        ours = self.seconds.get(OURS)
        if ours is None or side == OURS:
            return []
        return self._against(side, OURS)

    def _against(self, side: str, own: str) -> list[float]:
        return [theirs / ours for theirs, ours in zip(self.seconds[side], self.seconds[own], strict=True)]

    @property
    def rival(self) -> str | None:
        """The fastest of those that declnet is compared with: the one that counts."""
        others = [side for side in self.seconds if side not in OWN and self.ratios(side)]
        return min(others, key=lambda side: median(self.seconds[side]), default=None)

    @property
    def ratio(self) -> float | None:
        """How many times as fast as its rival declnet is."""
        return median(self.ratios(self.rival)) if self.rival else None

    @property
    def with_numba(self) -> list[float]:
        """How many times the time of declnet with Numba the rival took; empty where that was not measured."""
        return self._against(self.rival, NUMBA) if self.rival and NUMBA in self.seconds else []

    @property
    def sound(self) -> bool:
        """Whether declnet got through, and all sides computed the same."""
        return OURS not in self.failed and not self.wrong


def differences(answers: Mapping[str, Sequence[Figure]]) -> dict[str, str]:
    """The first number that is not declnet's, of each side that has one."""
    ours = {figure.name: figure for figure in answers.get(OURS, ())}
    found = {}
    for side, figures in answers.items():
        if side == OURS:
            continue
        for name, value, _ in figures:
            own = ours.get(name)
            if own is None and ours:
                found[side] = f"{name}: {value:.7g} with {side}, and {OURS} says nothing of it"
                break
            # NaN is near nothing, so it is a difference too.
            if own is not None and not abs(value - own.value) <= own.tolerance:
                found[side] = f"{name}: {own.value:.7g} with {OURS}, {value:.7g} with {side}"
                break
    return found


def _judge(answers: Mapping[str, Sequence[Figure]], result: Result, running: dict[str, Side]) -> None:
    """Compare. Where the first of the others computes what declnet does, one that does not is itself at fault: it
    is left out, since being fast is no merit then. Else declnet is wrong.
    """
    found = differences(answers)
    first = next((side for side in answers if side != OURS), None)
    if first in found:
        result.wrong += found.values()
        return
    for side, difference in found.items():
        result.failed[side] = f"it computes something else: {difference}"
        running.pop(side, None)


def measure(workload: Workload, conditions: Conditions) -> Result:
    """Warm every side up once, then measure them in turn, A B A B, and compare their answers.

    A side that fails is left out, and the result says why; without declnet there is nothing more to measure.
    """
    result = Result(workload.name, workload.title, workload.group, workload.goal, conditions.threads)
    with ExitStack() as stack:
        running: dict[str, Side] = {}
        answers: dict[str, Sequence[Figure]] = {}
        for name in [side for side in workload.sides if side not in conditions.without]:
            with _failing(name, result, running):
                running[name] = stack.enter_context(workload.open(name, conditions))
                answers[name] = running[name].take().answer
        _judge(answers, result, running)
        seconds: dict[str, list[float]] = {name: [] for name in running}
        for _ in range(conditions.rounds):
            answers = {}
            for name, side in [*running.items()]:
                with _failing(name, result, running):
                    sample = side.take()
                    seconds[name].append(sample.seconds)
                    answers[name] = sample.answer
            _judge(answers, result, running)
        result.seconds = {name: seconds[name] for name in running}
        for name, side in [*running.items()]:
            with _failing(name, result, running):
                result.facts[name] = dict(side.facts())
    result.wrong = list(dict.fromkeys(result.wrong))
    return result


@contextmanager
def _failing(name: str, result: Result, running: dict[str, Side]) -> Iterator[None]:
    """Note a side that fails, and go on without it."""
    try:
        yield
    except SideError as error:
        result.failed[name] = str(error)
        running.pop(name, None)


def environment(threads: int) -> dict[str, str]:
    """The environment of a child process: this checkout, the same number of threads for every library, and
    bytecode kept between runs, as it is for an installed package.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    counts = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**kept, **counts, "PYTHONPATH": path}
