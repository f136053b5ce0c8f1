"""What can be said of a scheduler before it runs: whether it fits the optimizer and the loop, what the loop fills
in, and whether it does anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from declnet.config.document import Document
from declnet.config.schema import Config
from declnet.core.metric import Measure
from declnet.core.optimizer import Optimizer, Tuned
from declnet.core.scheduler import Scheduled
from declnet.core.suggest import any_of, did_you_mean
from declnet.errors import ConfigError, Diagnostic, Path
from declnet.records import record
from declnet.runner.monitor import lengths
from declnet.runner.schedule import Schedule

LOOKED_AT = 10_000
"""Epochs that are gone through to see whether a scheduler does anything; of a longer run nothing is said."""

Finding = tuple[str, Path]
"""A message, and the path of the key that it is about."""


@record
class Setting:
    """What a scheduler runs in: the optimizer, the loop's epochs and steps in all, where they are known, and the
    figures that a record of metrics.jsonl has.
    """

    optimizer: Tuned
    epochs: int | None
    steps: int | None
    figures: tuple[str, ...]

    @property
    def groups(self) -> list[Optimizer]:
        """The settings of each group."""
        return [self.optimizer.optimizer, *(group.optimizer for group in self.optimizer.groups)]

    @classmethod
    def of(cls, config: Config, steps: int | None) -> Setting:
        """What a whole config says, with so many steps to an epoch."""
        found = figures(config.loop.metrics, validated=config.data.split.validated)
        if steps is not None:
            return cls(config.optimizer, *lengths(config.loop, steps), found)
        return cls(config.optimizer, config.loop.epochs if config.loop.max_steps is None else None, None, found)


def figures(metrics: Sequence[Measure], *, validated: bool) -> tuple[str, ...]:
    """The figures of an epoch's record, the one that is watched without a word first."""
    validation = (
        ["val_loss", *(f"val_{metric.label}" for metric in metrics if metric.metric.axes is None)]
        if validated
        else []
    )
    return (*validation, "train_loss")


def problems(scheduled: Scheduled, setting: Setting) -> Iterator[Finding]:
    """The mistakes of a scheduler in its setting."""
    scheduler = scheduled.scheduler
    if scheduler.watches and scheduled.interval == "step":
        yield (
            f"{scheduler.type} goes by a figure of each epoch, and cannot count steps; remove it",
            ("scheduler", "interval"),
        )
    if scheduled.monitor is not None and not scheduler.watches:
        yield f"{scheduler.type} goes by no figure; remove it", ("scheduler", "monitor")
    elif scheduled.monitor is not None and scheduled.monitor not in setting.figures:
        near = did_you_mean(scheduled.monitor, setting.figures) or f"; there is {any_of(setting.figures, 'and')}"
        yield f"an epoch has no figure {scheduled.monitor!r}{near}", ("scheduler", "monitor")
    periods = scheduled.periods(setting.epochs, setting.steps)
    for name, message in scheduler.misfits(setting.optimizer.optimizer, len(setting.groups), periods):
        yield message, ("scheduler", name)


def completed(scheduled: Scheduled, setting: Setting) -> Scheduled:
    """The scheduler with what was left out and is known now."""
    periods = scheduled.periods(setting.epochs, setting.steps)
    scheduler = scheduled.scheduler if periods is None else scheduled.scheduler.complete(max(periods, 1))
    monitor = scheduled.monitor or (setting.figures[0] if scheduler.watches else None)
    return replace(scheduled, scheduler=scheduler, monitor=monitor)


def lint(scheduled: Scheduled, setting: Setting, document: Document) -> Iterator[Finding]:
    """What runs, and is hardly ever meant; the scheduler is completed."""
    scheduler, written = scheduled.scheduler, document.data.get("scheduler")
    chosen = "mode" not in type(scheduler).model_fields or (isinstance(written, dict) and "mode" in written)
    if scheduled.monitor is not None and not scheduled.monitor.endswith("_loss") and not chosen:
        yield (
            f"{scheduler.type} takes a lower {scheduled.monitor} for a better one: left out, 'mode' is min; "
            "write mode: max, or mode: min if that is meant",
            ("scheduler", "monitor"),
        )
    periods = scheduled.periods(setting.epochs, setting.steps)
    if periods is None:
        return
    if periods < 1:
        loop = count(scheduled, periods + scheduled.warmup)
        yield f"the warm-up takes all {loop} of the loop: {scheduler.type} never begins", ("scheduler", "warmup")
    elif periods <= LOOKED_AT and _idle(scheduled, setting, periods):
        when = "after the warm-up" if scheduled.warmup else "of the loop"
        which = f", even if {scheduled.monitor} never gets better" if scheduled.monitor is not None else ""
        message = f"{scheduler.type} changes nothing within the {count(scheduled, periods)} {when}{which}"
        yield message, ("scheduler",)


def count(scheduled: Scheduled, periods: int) -> str:
    """`10 epochs`."""
    return f"{periods} {scheduled.interval}{'s' * (periods != 1)}"


def _idle(scheduled: Scheduled, setting: Setting, periods: int) -> bool:
    """Whether all settings stay what the config says, where what is watched never gets better."""
    schedule = Schedule(replace(scheduled, warmup=0), setting.groups)
    for period in range(periods):
        if schedule.at(period + 1, period) != setting.groups:
            return False
        if scheduled.monitor is not None:
            schedule.watch({"epoch": period + 1, scheduled.monitor: 1.0})
    return True


def first(config: Config) -> list[Optimizer]:
    """The settings of each group in the first step: what an optimizer allocates its state for."""
    setting = Setting.of(config, 1)
    scheduled = None if config.scheduler is None else completed(config.scheduler, setting)
    return Schedule(scheduled, setting.groups).at(1, 0)


def rates(config: Config) -> tuple[float, float] | None:
    """lr in the first epoch and in the last, of parameters that no group matches, where they are known before a row
    is read and a figure is measured.
    """
    scheduled, setting = config.scheduler, Setting.of(config, None)
    if scheduled is None or scheduled.interval == "step" or scheduled.scheduler.watches or setting.epochs is None:
        return None
    schedule = Schedule(scheduled, setting.groups)
    return schedule.at(1, 0)[0].lr, schedule.at(setting.epochs, 0)[0].lr


def settled(config: Config, document: Document, steps: int) -> Config:
    """The config, once the steps of an epoch are known. ConfigError where the scheduler does not fit them."""
    if config.scheduler is None:
        return config
    setting = Setting.of(config, steps)
    if found := list(problems(config.scheduler, setting)):
        raise ConfigError(*(Diagnostic(message, path, document.mark(path)) for message, path in found))
    return config.model_copy(update={"scheduler": completed(config.scheduler, setting)})
