"""What decides about an epoch: the figure that is watched, which way is better, and when to stop."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, FiniteFloat, NonNegativeInt

from declnet.config.loop import EarlyStopping, Loop
from declnet.core.suggest import any_of, did_you_mean
from declnet.records import record

Mode = Literal["min", "max"]

TRAINING, VALIDATION = "train_loss", "val_loss"


@record
class Monitor:
    """A figure of an epoch by its name in metrics.jsonl, and which way is better."""

    name: str
    mode: Mode

    def better(self, value: float, than: float | None, by: float = 0.0) -> bool:
        """Whether a value is better than another by more than so much; any is better than none."""
        if than is None:
            return True
        return value < than - by if self.mode == "min" else value > than + by


def monitor(loop: Loop, name: str | None, mode: Mode | None, *, validated: bool) -> Monitor | str:
    """The figure that a name stands for, or what is wrong with it; `validated` says whether there are validation
    rows.
    """
    directions: dict[str, Mode | None] = {TRAINING: "min"}
    if validated:
        directions[VALIDATION] = "min"
        for measure in loop.metrics:
            higher = measure.metric.higher_is_better
            if measure.metric.axes is None:
                directions[f"val_{measure.label}"] = None if higher is None else "max" if higher else "min"
    if name is None:
        name = VALIDATION if validated else TRAINING
    found = next((known for known in (name, f"val_{name}") if known in directions), None)
    if found is None:
        if not validated:
            return f"there are no validation rows (data.split.val), so all that can be watched is {TRAINING}"
        near = did_you_mean(name, [*directions, *(known.removeprefix("val_") for known in directions)])
        return f"there is no figure {name!r} of an epoch" + (
            near or f"; there is {any_of(directions)}, and loop.metrics adds others"
        )
    direction = mode or directions[found]
    if direction is None:
        return f"nobody knows whether {found} is better high or low"
    return Monitor(found, direction)


class Waiting(BaseModel):
    """What early stopping remembers."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", defer_build=True)

    best: FiniteFloat | None = None
    evaluations: NonNegativeInt = 0
    """Without an improvement, since the last one."""

    def after(self, value: float, settings: EarlyStopping, watched: Monitor) -> Waiting:
        """What it remembers after another evaluation."""
        if watched.better(value, self.best, settings.min_delta):
            return Waiting(best=value)
        return Waiting(best=self.best, evaluations=self.evaluations + 1)


Ending = Literal["early_stopping", "max_steps", "epochs"]


def ending(loop: Loop, epoch: int, step: int, waiting: Waiting) -> Ending | None:
    """What ends the run after so many epochs and steps, None where it goes on."""
    if loop.early_stopping is not None and waiting.evaluations >= loop.early_stopping.patience:
        return "early_stopping"
    if loop.max_steps is not None and step >= loop.max_steps:
        return "max_steps"
    if loop.epochs is not None and epoch >= loop.epochs:
        return "epochs"
    return None


def lengths(loop: Loop, steps: int) -> tuple[int, int]:
    """Epochs and steps in all, at most, with so many steps to an epoch."""
    limits = (loop.max_steps, None if loop.epochs is None else loop.epochs * steps)
    total = min(limit for limit in limits if limit is not None)
    return -(-total // steps), total
