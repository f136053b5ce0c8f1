"""ReduceLROnPlateau: a factor when a figure no longer gets better."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Literal, final

import numpy as np
from pydantic import Field, NonNegativeInt

from declnet.core.optimizer import NonNegative, Optimizer
from declnet.core.registry import schedulers
from declnet.core.scheduler import REFUSED, Scheduler, miscounted, of_group
from declnet.core.spec import Array


@schedulers.register
@final
class ReduceLROnPlateau(Scheduler):
    """Multiply the rate by factor when a figure has not got better for more than patience epochs.

    The figure is the validation loss, the training loss where there are no validation rows, or what `monitor`
    names, as metrics.jsonl has it. It is better than the best so far where it is below best * (1 - threshold), or
    below best - threshold with threshold_mode abs; with mode max above best * (1 + threshold) or best + threshold.

    Shape:
        A figure an epoch. lr: each group's own.

    Parameters:
        mode: min where the figure should fall (a loss), max where it should rise (an accuracy).
        factor: factor of each change, 0 to below 1.
        patience: epochs without improvement that are borne.
        threshold: what counts as an improvement, as a share of the best figure or in its units.
        threshold_mode: rel for a share, abs for units.
        cooldown: epochs after a change in which no epoch counts as bad.
        min_lr: the lowest rate, for all groups or for each.
        eps: a change of the rate by no more than this is not made.

    Raises:
        ConfigError: an argument is out of range, min_lr has another number of rates than there are groups, or the
            config has it count steps.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.optim.lr_scheduler.ReduceLROnPlateau.html
    """

    pytorch = "torch.optim.lr_scheduler.ReduceLROnPlateau"
    refused: ClassVar[dict[str, str]] = {"optimizer": REFUSED["optimizer"]}
    watches: ClassVar[bool] = True

    type: Literal["ReduceLROnPlateau"] = "ReduceLROnPlateau"
    mode: Literal["min", "max"] = "min"
    factor: Annotated[float, Field(ge=0, lt=1)] = 0.1
    patience: NonNegativeInt = 10
    threshold: NonNegative = 1e-4
    threshold_mode: Literal["rel", "abs"] = "rel"
    cooldown: NonNegativeInt = 0
    min_lr: tuple[NonNegative, ...] | NonNegative = 0.0
    eps: NonNegative = 1e-8

    def misfits(self, optimizer: Optimizer, groups: int, periods: int | None) -> Iterator[tuple[str, str]]:
        """As many lowest rates as groups."""
        yield from miscounted(self, ["min_lr"], groups)

    def state(self, lrs: Sequence[float]) -> dict[str, Array]:
        """The rates, and what PyTorch's has by these names."""
        best = math.inf if self.mode == "min" else -math.inf
        counts = {name: np.zeros((), np.int64) for name in ("num_bad_epochs", "cooldown_counter")}
        return {"lr": np.array(lrs, np.float64), "best": np.array(best)} | counts

    def watch(self, figure: float, state: dict[str, Array]) -> None:
        """Count, and lower the rates when it is time."""
        bad, cooling = state["num_bad_epochs"], state["cooldown_counter"]
        if self._better(figure, float(state["best"])):
            state["best"][...], bad[...] = figure, 0
        else:
            bad += 1
        if cooling > 0:
            cooling -= 1
            bad[...] = 0
        if bad > self.patience:
            self._lower(state["lr"])
            cooling[...], bad[...] = self.cooldown, 0

    def _better(self, figure: float, best: float) -> bool:
        sign = 1 if self.mode == "max" else -1
        bar = best * (1 + sign * self.threshold) if self.threshold_mode == "rel" else best + sign * self.threshold
        return figure > bar if self.mode == "max" else figure < bar

    def _lower(self, lrs: Array) -> None:
        for group, lr in enumerate(lrs.tolist()):
            lower = max(lr * self.factor, of_group(self.min_lr, group))
            if lr - lower > self.eps:
                lrs[group] = lower

    def changes(self, period: int, settings: Optimizer, group: int, state: dict[str, Array]) -> dict[str, object]:
        """The rate that the figures so far have left."""
        return {"lr": float(state["lr"][group])}
