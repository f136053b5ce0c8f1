"""What a run tells whoever measures it: its parts by name, while they are put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final, Literal, ParamSpec, TypeVar, get_args

if TYPE_CHECKING:
    from declnet.runner.training import Training

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

InStep = Literal["data", "accumulation", "clipping", "optimizer", "average"]
"""What a step of training is made of beside the nodes of its network."""

Name = Literal[InStep, "evaluation", "checkpoints", "reading", "records", "progress"]
"""The parts of a run beside these nodes, and the loop that runs them all."""

NAMES: Final[tuple[Name, ...]] = get_args(Name)


class Watch:
    """Measures nothing, and hands back what it is given: a run that nobody measures is as if it were not here."""

    def part(self, name: Name, action: Callable[P, R]) -> Callable[P, R]:
        """What does a part of a run, to be called in its place."""
        return action

    def each(self, name: Name, items: Iterable[T]) -> Iterator[T]:
        """What comes one by one, where to get the next is a part of a run."""
        return iter(items)

    def begin(self, training: Training) -> None:
        """Everything is there that the first step needs, which comes next."""


UNWATCHED: Final = Watch()
