"""OneCycleLR: up to a high rate, and down to next to nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal, NamedTuple, Self, final

from pydantic import Field, PositiveInt, model_validator

from declnet.core.optimizer import NonNegative, Optimizer
from declnet.core.registry import schedulers
from declnet.core.scheduler import REFUSED, Interval, Positive, Scheduler, miscounted, of_group
from declnet.core.spec import Array

Level = Literal["initial", "max", "min"]


class Phase(NamedTuple):
    """Until when it lasts, and the rates that it leads from and to."""

    end: float
    start: Level
    goal: Level


@schedulers.register
@final
class OneCycleLR(Scheduler):
    """Go from max_lr / div_factor up to max_lr, then down to max_lr / div_factor / final_div_factor.

    Each phase leads from a rate a to a rate b: b + (a - b) * (1 + cos(pi * p)) / 2, p going from 0 to 1, or in a
    straight line. The optimizer's own lr is not used. Its momentum, or its first beta, goes the other way, from
    max_momentum to base_momentum and back. The cycle is meant to be smooth: it counts steps, not epochs, unless the
    config says `interval: epoch`.

    Shape:
        Rates in parameter units; one number for all groups, or a list of one for each.

    Parameters:
        max_lr: the highest rate.
        total_steps: periods of the whole cycle; left out, all that the loop has after the warm-up.
        epochs: with steps_per_epoch, instead of total_steps.
        steps_per_epoch: with epochs, instead of total_steps.
        pct_start: share of the cycle in which the rate goes up, 0 to 1.
        anneal_strategy: cos or linear.
        cycle_momentum: whether the momentum changes too.
        base_momentum: the lowest momentum, where the rate is highest.
        max_momentum: the highest momentum, above 0.
        div_factor: how many times lower than max_lr the first rate is.
        final_div_factor: how many times lower than the first rate the last one is.
        three_phase: go back to the first rate as slowly as it went up, and only then to the last.

    Raises:
        ConfigError: an argument is out of range, epochs without steps_per_epoch or the reverse, the cycle is
            shorter than the loop, a list has another number of items than there are groups, or cycle_momentum is
            on and the optimizer has neither momentum nor betas.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.optim.lr_scheduler.OneCycleLR.html;
        Smith and Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates",
        2017.
    """

    pytorch = "torch.optim.lr_scheduler.OneCycleLR"
    refused: ClassVar[dict[str, str]] = REFUSED
    interval: ClassVar[Interval] = "step"

    type: Literal["OneCycleLR"] = "OneCycleLR"
    max_lr: tuple[Positive, ...] | Positive
    total_steps: PositiveInt | None = None
    epochs: PositiveInt | None = None
    steps_per_epoch: PositiveInt | None = None
    pct_start: Annotated[float, Field(ge=0, le=1)] = 0.3
    anneal_strategy: Literal["cos", "linear"] = "cos"
    cycle_momentum: bool = True
    base_momentum: tuple[NonNegative, ...] | NonNegative = 0.85
    max_momentum: tuple[Positive, ...] | Positive = 0.95
    div_factor: Positive = 25.0
    final_div_factor: Positive = 1e4
    three_phase: bool = False

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.epochs is None) != (self.steps_per_epoch is None):
            given, other = ("epochs", "steps_per_epoch")[:: 1 if self.epochs is not None else -1]
            raise ValueError(f"{given} needs {other} beside it; leave out both, and the loop says how long it is")
        return self

    @property
    def _said(self) -> tuple[str, int] | None:
        """The length of the cycle as far as the config says it, and the argument that does."""
        if self.total_steps is not None:
            return "total_steps", self.total_steps
        if self.epochs is None or self.steps_per_epoch is None:
            return None
        return "epochs", self.epochs * self.steps_per_epoch

    def complete(self, periods: int) -> Self:
        """One cycle, where the config does not say how long."""
        return self.model_copy(update={"total_steps": self._said[1] if self._said else periods})

    def misfits(self, optimizer: Optimizer, groups: int, periods: int | None) -> Iterator[tuple[str, str]]:
        """A cycle as long as the loop, as many numbers as groups, and a momentum that can be cycled."""
        yield from miscounted(self, ["max_lr"], groups)
        if self._said is not None and periods is not None and self._said[1] < periods:
            name, length = self._said
            end = f"the cycle ends at {length}, before the loop's {periods}"
            yield name, f"{end}; leave its length out, and it is the loop's"
        if not self.cycle_momentum:
            return
        yield from miscounted(self, ["base_momentum", "max_momentum"], groups)
        fields = type(optimizer).model_fields
        if "betas" not in fields and "momentum" not in fields:
            yield (
                "cycle_momentum",
                f"{optimizer.type} has no momentum to cycle: write cycle_momentum: false, or take an optimizer "
                "that has momentum or betas",
            )
        for name in ("base_momentum", "max_momentum") if "betas" in fields else ():
            values = getattr(self, name)
            if max(values if isinstance(values, tuple) else (values,), default=0) >= 1:
                yield name, f"is the first beta of {optimizer.type}, which must be less than 1"

    def initial(self, lr: float, group: int) -> float:
        """The rate at which the cycle begins."""
        return of_group(self.max_lr, group) / self.div_factor

    def changes(self, period: int, settings: Optimizer, group: int, state: dict[str, Array]) -> dict[str, object]:
        """The rate; with cycle_momentum the momentum, or the first beta."""
        phase, done = self._phase(period)
        first = self.initial(settings.lr, group)
        rates: dict[Level, float] = {
            "initial": first,
            "max": of_group(self.max_lr, group),
            "min": first / self.final_div_factor,
        }
        changes: dict[str, object] = {"lr": self._between(rates[phase.start], rates[phase.goal], done)}
        if self.cycle_momentum:
            start, goal = (
                of_group(self.base_momentum if level == "max" else self.max_momentum, group)
                for level in (phase.start, phase.goal)
            )
            momentum = self._between(start, goal, done)
            betas = getattr(settings, "betas", None)
            changes |= {"momentum": momentum} if betas is None else {"betas": (momentum, *betas[1:])}
        return changes

    def _phase(self, period: int) -> tuple[Phase, float]:
        """The phase of a period, and the share of it that is done."""
        if self.total_steps is None:
            raise AssertionError("a scheduler is completed before it runs")
        rise, last = self.pct_start * self.total_steps, self.total_steps - 1
        phases = [Phase(rise - 1, "initial", "max")]
        if self.three_phase:
            phases.append(Phase(2 * rise - 2, "max", "initial"))
        phases.append(Phase(last, phases[-1].goal, "min"))
        start = 0.0
        for phase in phases[:-1]:
            if period <= phase.end:
                break
            start = phase.end
        else:
            phase = phases[-1]
        # A phase that ends as it begins is over at once; PyTorch divides by zero there.
        return phase, (period - start) / (phase.end - start) if phase.end != start else 1.0

    def _between(self, start: float, goal: float, done: float) -> float:
        if self.anneal_strategy == "linear":
            return (goal - start) * done + start
        return goal + (start - goal) / 2 * (math.cos(math.pi * done) + 1)
