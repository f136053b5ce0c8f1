"""What of a run is kept: the best epoch, and checkpoints as often as the config says or as costs little."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from declnet.core.spec import Array
from declnet.errors import CheckpointError
from declnet.plan.store import take
from declnet.runner import checkpoint
from declnet.runner.directory import RunDirectory
from declnet.runner.files import machine, sync_folder
from declnet.runner.monitor import Monitor
from declnet.runner.position import Position

SHARE = 0.05
"""Share of the time that checkpoints may take, where the config does not say how often to write them."""


@dataclass(slots=True)
class Best:
    """The best epoch so far, with a copy of what was learned."""

    value: float | None = None
    epoch: int = 0
    state: Mapping[str, Array] | None = None
    saved: bool = True


class Keeper:
    """Writes `last.npz` and `best.npz`.

    `last.npz` names the best epoch, and `best.npz` has to be of that epoch whenever the process is killed. So a new
    best is first written beside the old one, as `best.next.npz`, then `last.npz`, and only then takes its place;
    whoever goes on finds the right one under either name.
    """

    def __init__(
        self,
        directory: RunDirectory,
        every: int | None,
        monitor: Monitor,
        learned: Mapping[str, Array] = MappingProxyType({}),
    ) -> None:
        """`every` is the number of epochs between checkpoints, None for as many as cost little; `monitor` says
        which epoch is the best. `learned` is what both checkpoints have that no step changes.
        """
        self._learned = learned
        self.best = Best()
        self.saved_epoch = 0
        self.directory = directory.checkpoints
        self.last, self._best, self._next = (
            self.directory / name for name in ("last.npz", "best.npz", "best.next.npz")
        )
        self._run, self._every, self._monitor = directory, every, monitor
        self._saved_at, self._took = time.perf_counter(), 0.0

    def restore(self, position: Position, state: Mapping[str, Array]) -> None:
        """Go on from a checkpoint of a model with this state: take up its best epoch."""
        self.saved_epoch = position.epoch
        if position.best is None:
            return
        for path in (self._next, self._best):
            with machine(f"read {path}"):
                there = path.exists()
            if there:
                arrays, meta = checkpoint.load(path)
                if meta.get("epoch") == position.best_epoch:
                    kept = {name: np.empty_like(array) for name, array in state.items()}
                    take(kept, checkpoint.part(arrays, "model/"), "model", str(path))
                    self.best = Best(position.best, position.best_epoch, kept)
                    break
        else:
            raise CheckpointError(
                f"{self._best}: does not hold epoch {position.best_epoch}, the best of {self.last}"
            )
        if path == self._next:
            self._promote()

    def note(self, epoch: int, value: float, state: Mapping[str, Array]) -> bool:
        """Copy the state where the value is the best so far; whether it is."""
        better = self._monitor.better(value, self.best.value)
        if better:
            kept = self.best.state or {name: np.empty_like(array) for name, array in state.items()}
            for name, array in state.items():
                np.copyto(kept[name], array)
            self.best = Best(value, epoch, kept, saved=False)
        return better

    def due(self, epoch: int) -> bool:
        """As often as agreed."""
        if self._every is not None:
            return epoch % self._every == 0
        return time.perf_counter() - self._saved_at >= self._took / SHARE

    def save(self, epoch: int, state: Callable[[], Mapping[str, Array]], meta: Mapping[str, object]) -> None:
        """Write `last.npz`, and `best.npz` where there is a new best."""
        begun = time.perf_counter()
        self._run.sync()
        new = self.best.state if not self.best.saved else None
        if new is not None:
            model = {f"model/{name}": array for name, array in new.items()}
            checkpoint.save(self._next, {**model, **self._learned}, {"epoch": self.best.epoch})
        best = {"best_epoch": self.best.epoch, "best": self.best.value}
        checkpoint.save(self.last, {**state(), **self._learned}, {"epoch": epoch, **best, **meta})
        if new is not None:
            self._promote()
            self.best.saved = True
        self.saved_epoch, self._saved_at = epoch, time.perf_counter()
        self._took = self._saved_at - begun

    def _promote(self) -> None:
        """Put the new best in the place of the old one."""
        with machine(f"write {self._best}"):
            self._next.replace(self._best)
            sync_folder(self.directory)
