"""The scheduler contract: settings of an optimizer that change in the course of a run.

A scheduler counts periods from 0: epochs or steps, as the config says. Most are functions of that number alone, so
a run that is taken up again has nothing to restore. One that goes by what was measured keeps that in arrays, which
are saved beside the optimizer's.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field
from pydantic_core import CoreSchema, core_schema

from declnet.core.component import Component
from declnet.core.optimizer import Optimizer
from declnet.core.spec import Array
from declnet.records import record

Interval = Literal["step", "epoch"]
Positive = Annotated[float, Field(gt=0)]

REFUSED = {
    "optimizer": "it is the optimizer of the config, always",
    "last_epoch": "where a run stands follows from its checkpoint, never from the config",
}
"""Arguments of PyTorch's schedulers that a config says elsewhere or not at all."""

WARMUP_START = 1 / 3
"""Share of the rate that a warm-up starts from, where the config does not say: what LinearLR has by default."""


class Scheduler(Component, ABC):
    """Changes settings of an optimizer, `lr` above all, from period to period."""

    interval: ClassVar[Interval] = "epoch"
    """What it counts where the config does not say."""

    watches: ClassVar[bool] = False
    """True where it goes by a figure of each epoch, which `watch` is given; it then counts epochs."""

    def complete(self, periods: int) -> Self:
        """The same scheduler with arguments filled in that follow from the number of periods it runs for."""
        return self

    def misfits(self, optimizer: Optimizer, groups: int, periods: int | None) -> Iterator[tuple[str, str]]:
        """What makes it unfit for this optimizer, so many groups of parameters, and so many periods as far as they
        are known: the argument that is wrong, and a message.
        """
        yield from ()

    def initial(self, lr: float, group: int) -> float:
        """The rate that a warm-up leads to, for a group of this rate and number."""
        return lr

    def state(self, lrs: Sequence[float]) -> dict[str, Array]:
        """What it remembers, at first, for groups of these rates."""
        return {}

    def watch(self, figure: float, state: dict[str, Array]) -> None:
        """Take the figure of an epoch that is over, and change the state."""

    @abstractmethod
    def changes(self, period: int, settings: Optimizer, group: int, state: dict[str, Array]) -> dict[str, object]:
        """The settings of a group that are others in this period than those which the config gives it."""


class Curve(Scheduler, ABC):
    """A rate that follows from a group's own and the number of the period."""

    @abstractmethod
    def rate(self, lr: float, period: int) -> float:
        """The rate in this period of a group that has the rate `lr` in the config."""

    def changes(self, period: int, settings: Optimizer, group: int, state: dict[str, Array]) -> dict[str, object]:
        """The rate alone."""
        return {"lr": self.rate(settings.lr, period)}


def of_group(value: float | tuple[float, ...], group: int) -> float:
    """What an argument says for a group: one number for all, or one for each."""
    return value[group] if isinstance(value, tuple) else value


def miscounted(scheduler: Scheduler, names: Sequence[str], groups: int) -> Iterator[tuple[str, str]]:
    """The arguments with one number for each group that have too few or too many, and a message."""
    for name in names:
        value = getattr(scheduler, name)
        if isinstance(value, tuple) and len(value) != groups:
            rest = "one for the parameters that no group of the optimizer matches, then one for each of its groups"
            each = f", or a list of {groups}: {rest}" if groups > 1 else ", because the optimizer has no groups"
            yield name, f"takes one number{each}; got a list of {len(value)}"


@record
class Scheduled:
    """A scheduler, what it counts, the warm-up before it, and the figure that it watches."""

    scheduler: Scheduler
    interval: Interval
    warmup: int = 0
    warmup_start: float = WARMUP_START
    monitor: str | None = None

    def periods(self, epochs: int | None, steps: int | None) -> int | None:
        """The periods that the scheduler itself runs for, in a loop of so many epochs and steps in all; None where
        that is not known yet. Less than 1 where the warm-up takes all of them.
        """
        length = epochs if self.interval == "epoch" else steps
        return None if length is None else length - self.warmup

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> CoreSchema:
        """Pydantic takes it as it is: whoever reads the config has made and checked it."""
        return core_schema.is_instance_schema(cls)
