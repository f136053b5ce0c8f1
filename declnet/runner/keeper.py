"""What of a run is kept: the best epoch, and checkpoints as often as the config says or as costs little."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from declnet.core.spec import Array
from declnet.runner import checkpoint
from declnet.runner.directory import RunDirectory

SHARE = 0.05
"""Share of the time that checkpoints may take, where the config does not say how often to write them."""


@dataclass(slots=True)
class Best:
    """The best epoch so far, with a copy of what was learned."""

    loss: float = float("inf")
    epoch: int = 0
    state: Mapping[str, Array] | None = None
    saved: bool = True


class Keeper:
    """Writes `last.npz` and `best.npz`."""

    def __init__(self, directory: RunDirectory, every: int | None, epochs: int) -> None:
        """`every` is the number of epochs between checkpoints, None for as many as cost little."""
        self.best = Best()
        self.saved_epoch = 0
        self.directory = directory.checkpoints
        self._every, self._epochs = every, epochs
        self._saved_at, self._took = time.perf_counter(), 0.0

    def note(self, epoch: int, loss: float, state: Mapping[str, Array]) -> bool:
        """Copy the state where the loss is the lowest so far; whether it is."""
        better = loss < self.best.loss
        if better:
            kept = self.best.state or {name: np.empty_like(array) for name, array in state.items()}
            for name, array in state.items():
                np.copyto(kept[name], array)
            self.best = Best(loss, epoch, kept, saved=False)
        return better

    def due(self, epoch: int) -> bool:
        """At the last epoch, and before as often as agreed."""
        if self._every is not None:
            return epoch % self._every == 0 or epoch == self._epochs
        return epoch == self._epochs or time.perf_counter() - self._saved_at >= self._took / SHARE

    def save(self, epoch: int, state: Callable[[], Mapping[str, Array]], meta: Mapping[str, object]) -> None:
        """Write `last.npz`, and `best.npz` where there is a new best."""
        begun = time.perf_counter()
        named = {"epoch": epoch, "best_epoch": self.best.epoch, **meta}
        checkpoint.save(self.directory / "last.npz", state(), named)
        if not self.best.saved and self.best.state is not None:
            model = {f"model/{name}": array for name, array in self.best.state.items()}
            checkpoint.save(self.directory / "best.npz", model, {"epoch": self.best.epoch})
            self.best.saved = True
        self.saved_epoch, self._saved_at = epoch, time.perf_counter()
        self._took = self._saved_at - begun
