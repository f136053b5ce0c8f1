"""Profiling: where the time of a run goes, measured in the loop itself, node by node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, ParamSpec, TypeVar, final

from declnet.core.component import Action
from declnet.core.threads import SMALL, given, threads_for
from declnet.errors import Mark
from declnet.plan.plan import Plan
from declnet.runner.clock import Clock, Section, cost_of_a_lap
from declnet.runner.costs import Cost, costs
from declnet.runner.machine import limits
from declnet.runner.profile import NodeTimes, PartTimes, Profile, Way
from declnet.runner.watch import NAMES, Name, Watch

if TYPE_CHECKING:
    from declnet.plan.liveness import Layout
    from declnet.runner.training import Training

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


@final
class Profiler(Watch):
    """Watches one run, or all folds of one. Its plans get a lap of the clock behind each node; what they compute
    stays the same, to the bit.
    """

    def __init__(self) -> None:
        """Start the clock."""
        self._rest = Section()
        self._parts: dict[Name, Section] = {}
        self._nodes: dict[int, tuple[Section, Section]] = {}
        """Forward and backward of each call, by its output."""
        self._runs: Counter[int] = Counter()
        """How often plans have run, by the rows of their batches."""
        self._layouts: dict[int, Layout] = {}
        self._training: Training | None = None
        self._steps = self._before = 0
        self._clock = Clock(self._rest)

    def part(self, name: Name, action: Callable[P, R]) -> Callable[P, R]:
        """The same, measured."""
        return self._clock.timed(self._parts.setdefault(name, Section()), action)

    def each(self, name: Name, items: Iterable[T]) -> Iterator[T]:
        """The same items."""
        rest = iter(items)
        take = self.part(name, lambda: next(rest, None))
        while (item := take()) is not None:
            yield item
        self._parts[name].calls -= 1  # there was none to get

    def begin(self, training: Training) -> None:
        """Put laps into the training plans."""
        self._steps += self._done()
        self._training, self._before = training, training.optimization.step_count
        for (trains, rows), plan in training.model.plans.items():
            if trains:
                self._layouts[rows] = training.model.layouts[trains, rows]
                self._into(plan, rows)

    def _into(self, plan: Plan, rows: int) -> None:
        """A lap before the first step of a plan, and one behind what is one node's."""
        charge, runs = self._clock.charge, self._runs

        def start() -> None:
            charge()
            runs[rows] += 1

        forward: list[list[Action]] = []
        backward: list[list[Action]] = []
        for part in plan.parts:
            laps = [charge, charge]
            if part.call is not None:
                sections = self._nodes.setdefault(part.call.output, (Section(), Section()))
                laps = [self._clock.lap(section) for section in sections]
            for way, steps, lap in zip((forward, backward), (part.forward, part.backward), laps, strict=True):
                way.append([*steps, lap] if steps else [])
        plan.forward = [start, *chain.from_iterable(forward)]
        plan.backward = [*chain.from_iterable(reversed(backward))]

    def _done(self) -> int:
        """Steps of the run that was begun last."""
        return 0 if self._training is None else self._training.optimization.step_count - self._before

    @property
    def measured(self) -> bool:
        """Whether there is something to report."""
        return bool(self._runs)

    def report(self) -> Profile | None:
        """What has been measured until now; None where no step has been made. Takes half a second: what the machine
        can is measured too, on as many threads as the run has.
        """
        self._clock.charge()
        seconds = self._clock.at - self._clock.begun
        training, steps = self._training, self._steps + self._done()
        if training is None or not self._runs:
            return None
        model, dtype = training.model, training.config.dtype
        states = (array.nbytes for group in training.optimization.groups for array in group.state.values())
        vectors = model.store.vector.nbytes + model.store.gradient.nbytes
        with threads_for(model.largest):
            found = limits(dtype, model.arena.memory.nbytes + vectors + sum(states))
        lap = cost_of_a_lap()
        sections = [*self._parts.values(), *chain.from_iterable(self._nodes.values()), self._rest]
        measuring = sum(section.seconds - _without(section, lap) for section in sections)
        named = [(name, self._parts[name]) for name in NAMES if name in self._parts]
        parts = [PartTimes(name, section.calls, _without(section, lap)) for name, section in named if section.calls]
        return Profile(
            seconds=seconds,
            steps=steps,
            runs=self._runs.total(),
            threads=1 if model.largest < SMALL else given(),
            limits=found,
            nodes=[*self._node_times(training, lap)],
            parts=[*parts, PartTimes("loop", steps, _without(self._rest, lap))],
            measuring=measuring,
            lap=lap,
        )

    def _node_times(self, training: Training, lap: float) -> Iterator[NodeTimes]:
        """All calls that training runs, in the order of the config."""
        full = self._layouts[max(self._layouts)]
        costs_of = {
            rows: [costs(layout, call, training.config.dtype) for call in layout.calls]
            for rows, layout in self._layouts.items()
        }
        for index, call in enumerate(full.calls):
            ways = []
            for way, section in enumerate(self._nodes[call.output]):
                total = sum((costs_of[rows][index][way] * runs for rows, runs in self._runs.items()), Cost())
                ways.append(Way(_without(section, lap), total))
            mark = training.experiment.document.mark(call.path) or Mark("", 0, 0)
            yield NodeTimes(call.name, call.component.type, mark, full.graph.specs[call.output], *ways)


def _without(section: Section, lap: float) -> float:
    """Its seconds, less those that measuring took."""
    return max(0.0, section.seconds - section.laps * lap)
