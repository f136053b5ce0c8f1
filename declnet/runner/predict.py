"""A network without its loss: inputs in, outputs out, batch by batch, in memory that does not grow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np

from declnet.core.products import require_room_for_products
from declnet.core.random import generator
from declnet.core.spec import Array
from declnet.core.threads import threads_for
from declnet.errors import DataError
from declnet.plan.liveness import lay_out
from declnet.plan.plan import Arena, Plan, bind
from declnet.plan.store import Store
from declnet.runner.experiment import Experiment
from declnet.runner.inputs import Rows
from declnet.runner.trained import Trained


class Predictor:
    """What a run learned, and a plan over it for each size of batch at hand."""

    def __init__(self, trained: Trained) -> None:
        """Allocate, and fill in what was learned. CheckpointError where that is of another model."""
        self.experiment: Experiment = trained.experiment(predicting=True)
        config = self.experiment.config
        self.batch_size = self.experiment.batch
        graph = self.experiment.graph(self.batch_size)
        self._flops = graph.largest
        self.store = Store(graph.parameters, graph.buffers, [], config.dtype)
        trained.fill(self.store)
        self.learned = trained.learned(self.experiment)
        self._noise = generator(config.seed, "noise")
        self._plans: dict[int, Plan] = {}

    @contextmanager
    def running(self) -> Iterator[None]:
        """Where batches are run: as many threads share a product as in training, which gives the same bits."""
        with np.errstate(all="ignore"), threads_for(self._flops):
            yield

    def batches(self, chunks: Iterable[Rows], batch_size: int) -> Iterator[tuple[Array, ...]]:
        """The outputs of one batch of rows after another; they are memory that the next batch is written to.

        Only the last chunk may have another number of rows than a multiple of `batch_size`.
        """
        row = 0
        for chunk in chunks:
            rows = len(next(iter(chunk.values())))
            for start in range(0, rows, batch_size):
                end = min(start + batch_size, rows)
                try:
                    plan = self._plan(end - start, batch_size)
                    for name, buffer in plan.inputs.items():
                        buffer[...] = chunk[name][start:end]
                    plan.run()
                except DataError as error:
                    where = f"rows {row + start + 1} to {row + end}"
                    raise DataError(*(f"{where}: {item.message}" for item in error.diagnostics)) from None
                yield plan.outputs
            row += rows

    def _plan(self, rows: int, batch_size: int) -> Plan:
        """The plan for so many rows. Beside that for full batches one is kept: a last batch is seldom followed by
        another. DataError where they are too few for what the model does with a batch.
        """
        if rows not in self._plans:
            self._plans = {size: plan for size, plan in self._plans.items() if size == batch_size}
            graph = self.experiment.forward(rows)
            for problem in graph.unfit(training=False):
                raise DataError(problem.message)
            layout = lay_out(graph, training=False, dtype=self.store.dtype)
            self._plans[rows] = bind(layout, self.store, Arena(layout.nbytes), self._noise)
            require_room_for_products()
        return self._plans[rows]
