"""The settings of an optimizer as a run goes on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from declnet.core.optimizer import Optimizer
from declnet.core.scheduler import Scheduled
from declnet.core.spec import Array


class Schedule:
    """The settings of each group in each step, and the state of a scheduler that has one."""

    def __init__(self, scheduled: Scheduled | None, settings: Sequence[Optimizer]) -> None:
        """Take the settings that the config gives each group; without a scheduler they stay."""
        self._scheduled = scheduled
        self._given = list(settings)
        self._state = {} if scheduled is None else scheduled.scheduler.state([given.lr for given in settings])
        self._period: int | None = None
        self._settings = self._given

    def at(self, epoch: int, step: int) -> list[Optimizer]:
        """The settings of each group in this epoch, counted from 1, where so many steps of the run are done."""
        if self._scheduled is not None:
            period = epoch - 1 if self._scheduled.interval == "epoch" else step
            if period != self._period:
                self._period = period
                self._settings = [
                    given.model_copy(update=self._changes(self._scheduled, period, given, group))
                    for group, given in enumerate(self._given)
                ]
        return self._settings

    def _changes(self, scheduled: Scheduled, period: int, given: Optimizer, group: int) -> dict[str, object]:
        """What the scheduler changes, which begins where the warm-up ends; before that, lr is the warm-up's."""
        scheduler, begun = scheduled.scheduler, period - scheduled.warmup
        changes = scheduler.changes(max(begun, 0), given, group, self._state)
        if begun < 0:
            share = scheduled.warmup_start + (1 - scheduled.warmup_start) * period / scheduled.warmup
            changes["lr"] = scheduler.initial(given.lr, group) * share
        return changes

    def watch(self, record: Mapping[str, float | int | None]) -> None:
        """Take the figures of an epoch that is over, if what is watched is among them: a metric that is undefined
        is not a number, and so no better than any.
        """
        scheduled = self._scheduled
        if scheduled is None or scheduled.monitor is None or scheduled.monitor not in record:
            return
        if int(record["epoch"] or 0) <= scheduled.warmup:
            return
        value = record[scheduled.monitor]
        scheduled.scheduler.watch(math.nan if value is None else value, self._state)

    def state_dict(self) -> dict[str, Array]:
        """The state by name; empty where the settings follow from the numbers of epoch and step."""
        return self._state
