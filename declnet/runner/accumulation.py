"""Gradient accumulation: several batches as one step."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from declnet.core.spec import Array
from declnet.plan.plan import Plan
from declnet.runner.model import Model
from declnet.runner.rows import Rows
from declnet.runner.watch import Watch


class Accumulation:
    """`loop.accumulate` batches one after another, as if they were one: gradient and loss are the means over all
    their rows, gradient = sum(rows_i * gradient_i) / sum(rows_i).

    For a loss that is a mean over rows that is what one large batch gives, however the rows are cut; what is left
    over at the end of an epoch is a smaller group. Losses that weigh rows (class weights, `ignore_index`) weigh
    them within their batch, and layers that look at their whole batch (BatchNorm) see only the small ones.
    """

    def __init__(self, rows: Rows, model: Model, watch: Watch) -> None:
        """Allocate the sum."""
        self._rows, self._plans = rows, model.plans
        self._fill = watch.part("data", rows.fill)
        self.run = watch.part("accumulation", self._run)
        self._gradient = model.store.gradient
        self._sum = np.empty_like(self._gradient)
        self._pieces: list[Array] = []

    def groups(self, rows: Array, size: int, skip: int) -> Iterator[tuple[Accumulation, int]]:
        """Itself, holding one group of batches of these rows after another, and how many rows. The first `skip`
        groups are left out.
        """
        pieces = list(self._rows.cut(rows, training=True))
        for start in range(skip * size, len(pieces), size):
            self._pieces = pieces[start : start + size]
            yield self, sum(map(len, self._pieces))

    def plans(self) -> Iterator[Plan]:
        """The plan of each batch of the group, with the rows in its buffers."""
        for chosen in self._pieces:
            yield self._fill(chosen, self._plans, training=True)

    def _run(self) -> float:
        """Run all batches of the group; the gradients are left in the store."""
        loss, count = 0.0, 0
        self._sum.fill(0)
        for chosen in self._pieces:
            loss += self._fill(chosen, self._plans, training=True).run() * len(chosen)
            np.multiply(self._gradient, len(chosen), out=self._gradient)
            np.add(self._sum, self._gradient, out=self._sum)
            count += len(chosen)
        np.divide(self._sum, count, out=self._gradient)
        return loss / count
