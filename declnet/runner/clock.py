"""A clock that charges all time to one section or another, so that the sections add up to the whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Final, ParamSpec, TypeVar

from declnet.core.component import Action
from declnet.runner.machine import best

P = ParamSpec("P")
R = TypeVar("R")

LAPS: Final = 100
"""Laps one after another, of which one's cost is found."""


@dataclass(slots=True, eq=False)
class Section:
    """What took some of the time."""

    seconds: float = 0.0
    laps: int = 0
    """How often the clock was read for it, which takes time too."""
    calls: int = 0


class Clock:
    """Runs from when it is made. At each lap, what has passed since the one before is charged to a section; between
    laps nothing is measured, so a lap behind each of some actions is all that it takes to tell them apart.
    """

    __slots__ = ("at", "begun", "current")

    def __init__(self, rest: Section) -> None:
        """Start; what nobody else is charged for is `rest`."""
        self.begun = self.at = perf_counter()
        self.current = rest

    def lap(self, section: Section) -> Action:
        """What charges the time since the last lap to a section."""

        def lap() -> None:
            now = perf_counter()
            section.seconds += now - self.at
            section.laps += 1
            self.at = now

        return lap

    def charge(self) -> None:
        """Charge the time since the last lap to the section that goes on."""
        now = perf_counter()
        current = self.current
        current.seconds += now - self.at
        current.laps += 1
        self.at = now

    def timed(self, section: Section, action: Callable[P, R]) -> Callable[P, R]:
        """The action, charged to a section, but for what is charged to sections inside it."""

        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            outer = self.current
            self.charge()
            self.current = section
            section.calls += 1
            try:
                return action(*args, **kwargs)
            finally:
                self.charge()
                self.current = outer

        return run


def cost_of_a_lap() -> float:
    """Seconds that a lap takes among the actions of a plan, measured."""
    laps = [Clock(Section()).lap(Section())] * LAPS

    def run() -> None:
        for step in laps:
            step()

    return best(run, 0.01) / LAPS
