"""The optimizer contract: one update formula over flat vectors.

Parameters, gradients and optimizer state of a group are flat vectors. An optimizer binds its formula to
them once; the settings it reads at each step are a value of its own class, so a scheduler changes `lr` by
handing the group another one. The formula may overwrite the gradients: the next step writes them anew.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, ClassVar, NamedTuple, Self, TypeVar

import numpy as np
from pydantic import Field
from pydantic_core import CoreSchema, core_schema

from declnet.core.component import Action, Component
from declnet.core.numerics import LONG, spread, total
from declnet.core.spec import Array, Kind
from declnet.core.threads import side_by_side
from declnet.records import record

NonNegative = Annotated[float, Field(ge=0)]
Beta = Annotated[float, Field(ge=0, lt=1)]

BACKEND = {
    "foreach": "a switch between PyTorch's implementations; here there is one, always over flat vectors",
    "fused": "a switch between PyTorch's implementations; here there is one, always over flat vectors",
    "capturable": "for CUDA graphs, and declnet runs on the CPU",
    "differentiable": "for differentiating through the optimizer, which a config cannot ask for",
}
"""Arguments of PyTorch's optimizers that choose an implementation, and why there is nothing to choose."""

Closure = Callable[[], float]
"""Runs forward and backward on the current batch, leaves the gradients and returns the loss."""

O_contra = TypeVar("O_contra", bound="Optimizer", contravariant=True)


class Looked(NamedTuple):
    """Whether all numbers of a group are finite. Sums tell, so that none has to be looked at by itself: where they
    overflow, the numbers may be finite all the same.
    """

    gradient: bool
    param: bool


FINE = Looked(gradient=True, param=True)
"""All of them are."""


Update = Callable[[O_contra, int], Looked | None]
"""One step: the settings of the moment and the number of the step, counted from 1. It may look at the gradients it
was given, and at the parameters that come of them, while they are in the cache.
"""

Formula = Callable[..., None]
"""Changes one block: takes its `param, grad`, the state vectors in the order of `Optimizer.state`, work space."""


@record
class State:
    """An array of optimizer state: its shape, first value and kind."""

    shape: tuple[int, ...]
    value: float = 0.0
    kind: Kind = "float"


@dataclass(slots=True)
class Group:
    """The vectors of one parameter group. `state` holds what `Optimizer.state` asked for."""

    param: Array
    grad: Array
    state: dict[str, Array]

    @property
    def vectors(self) -> dict[str, Array]:
        """The state that has a number for each parameter."""
        return {name: array for name, array in self.state.items() if array.shape == self.param.shape}

    def lanes(self, passes: int) -> "list[Group]":
        """Cut into lanes, which threads may take; `passes` over an element are made. Other state than `vectors`
        stays with the whole.
        """
        vectors = self.vectors
        return [
            Group(self.param[at], self.grad[at], {name: vector[at] for name, vector in vectors.items()})
            for at in spread(self.param.size, passes)
        ]

    def blocks(self, *names: str, work: int = 1) -> Iterator[tuple[Array, ...]]:
        """Cut into blocks `(param, grad, *state, *work)`: views, and `work` scratch vectors shared by all."""
        scratch = [np.empty(min(LONG, self.param.size), self.param.dtype) for _ in range(work)]
        vectors = [self.param, self.grad, *(self.state[name] for name in names)]
        for start in range(0, self.param.size, LONG):
            views = [vector[start : start + LONG] for vector in vectors]
            yield (*views, *(w[: views[0].size] for w in scratch))


class Optimizer(Component, ABC):
    """Changes the parameters from their gradients."""

    calls_closure: ClassVar[bool] = False
    """True where the formula runs the closure itself, perhaps several times a step (LBFGS)."""

    lr: NonNegative

    @abstractmethod
    def state(self, size: int) -> dict[str, State]:
        """The state arrays of a group of `size` elements, by PyTorch's names."""

    def work(self, size: int) -> int:
        """Elements of work space that `bind` takes for a group of `size`, beside the state: a vector of
        `Group.blocks`.
        """
        return min(LONG, size)

    @abstractmethod
    def bind(self, group: Group, closure: Closure) -> Update[Self]:
        """Make the update for these vectors."""


class Elementwise(Optimizer, ABC):
    """An optimizer that changes each parameter by itself: one formula over blocks of all vectors, in threads.
    Where Numba is installed, the formula becomes one compiled loop as soon as that is worthwhile.
    """

    passes: ClassVar[int]
    """The passes of its formula over each block: from them follows when a second thread is worthwhile."""

    works: ClassVar[int] = 1
    """Vectors of work space that the formula takes."""

    @abstractmethod
    def formula(self, group: Group, step: int) -> Formula:
        """What this step does to each block, by NumPy's functions. Whatever is not a vector of the group's state is
        kept here. It may be run on symbols in the place of blocks (core/fused.py), so it does nothing else.
        """

    def work(self, size: int) -> int:
        """Vectors of a block for each lane."""
        lanes = spread(size, self.passes)
        room: int = sum(min(LONG, lane.stop - lane.start) for lane in lanes)
        return self.works * room

    def bind(self, group: Group, closure: Closure) -> Update[Self]:
        """Run the step's formula over all blocks."""
        from declnet.core.fused import Fused  # which reads NumPy's functions as it loads

        formula: Formula

        lanes = group.lanes(self.passes)
        looked = [FINE] * len(lanes)

        def over(lane: int, blocks: Iterable[tuple[Array, ...]]) -> Action:
            alone = len(lanes) == 1
            looking = [
                (total(grad, alone=alone), (param, grad, *rest), total(param, alone=alone))
                for param, grad, *rest in blocks
            ]

            def run() -> None:
                gradients = params = 0.0
                for before, block, after in looking:
                    gradients += before()
                    formula(*block)
                    params += after()
                looked[lane] = Looked(math.isfinite(gradients), math.isfinite(params))

            return run

        run = side_by_side([over(n, lane.blocks(*lane.state, work=self.works)) for n, lane in enumerate(lanes)])
        whole = (group.param, group.grad, *group.vectors.values())
        fused = Fused(whole, looked, works=self.works, passes=self.passes)

        def update(settings: Self, step: int) -> Looked:
            nonlocal formula
            formula = settings.formula(group, step)
            if not fused(formula):
                run()
            return looked[0] if len(looked) == 1 else Looked(*map(all, zip(*looked, strict=True)))

        return update


@record
class Override:
    """Other settings for some parameters: patterns of their names, and the optimizer with what is said changed."""

    match: tuple[str, ...]
    optimizer: Optimizer
    changed: tuple[str, ...]


@record
class Tuned:
    """An optimizer, and the settings of parameter groups; a parameter is in the first group that matches it."""

    optimizer: Optimizer
    groups: tuple[Override, ...] = ()

    def split(self, names: Sequence[str]) -> list[tuple[Optimizer, list[str]]]:
        """The parameters that no group matches, then those of each group, with their settings."""
        split: list[tuple[Optimizer, list[str]]] = [(self.optimizer, [])]
        split += [(group.optimizer, []) for group in self.groups]
        for name in names:
            matching = (i for i, group in enumerate(self.groups, 1) if matches(name, group.match))
            split[next(matching, 0)][1].append(name)
        return split

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> CoreSchema:
        """Pydantic takes it as it is: whoever reads the config has made and checked it."""
        return core_schema.is_instance_schema(cls)


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether one of the patterns (`*.bias`) stands for a name."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)
