"""An exponential moving average of the parameters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from declnet.core.numerics import BLOCK
from declnet.core.spec import Array
from declnet.plan.store import Store


class Average:
    """average = decay * average + (1 - decay) * param after each step; after the first, the parameters themselves.

    Buffers, and parameters that are not trained, are not averaged: those of the moment go with it. That is
    torch.optim.swa_utils.AveragedModel with get_ema_multi_avg_fn(decay).
    """

    def __init__(self, decay: float, store: Store) -> None:
        """Allocate."""
        self._param = store.vector[: store.gradient.size]
        self._average = np.zeros_like(self._param)
        self._rest = np.array(1 - decay, self._param.dtype)
        work = np.empty(min(BLOCK, self._param.size), self._param.dtype)
        self._blocks = []
        for start in range(0, self._param.size, BLOCK):
            param, average = (vector[start : start + BLOCK] for vector in (self._param, self._average))
            self._blocks.append((param, average, work[: param.size]))
        self._views = store.trained(self._average)

    def update(self, step: int) -> None:
        """Take in the parameters after a step, counted from 1."""
        if step == 1:
            np.copyto(self._average, self._param)
            return
        for param, average, work in self._blocks:
            np.subtract(param, average, out=work)
            np.multiply(work, self._rest, out=work)
            np.add(average, work, out=average)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within the block the model has the averaged parameters."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for param, average, work in self._blocks:
            np.copyto(work, param)
            np.copyto(param, average)
            np.copyto(average, work)

    def state_dict(self) -> dict[str, Array]:
        """The average by the parameters' names: views."""
        return self._views
