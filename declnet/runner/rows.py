"""The rows of a run: read, checked, split, and put into plans batch by batch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from declnet.config.schema import Config
from declnet.core.component import Loss
from declnet.core.random import generator
from declnet.core.spec import Array
from declnet.data import table
from declnet.errors import DataError, Diagnostic, RowError
from declnet.plan.plan import Plan
from declnet.runner.experiment import Experiment
from declnet.runner.model import Plans, Size


class Rows:
    """All fields in memory, and the row numbers of each split. Splits without rows are left out.

    Rows that are only evaluated need not be enough to train on.
    """

    def __init__(self, experiment: Experiment, *, training: bool = True) -> None:
        """Read and split. DataError where a cell, a class or the number of rows is wrong."""
        self._config: Config = experiment.config
        self._training = training
        self._batch_size = experiment.config.loop.batch_size
        self._drop_last = training and experiment.config.loop.drop_last
        self._fields = experiment.inputs | experiment.targets
        source = experiment.config.data.source
        try:
            self._arrays = table.read(source, self._fields, experiment.config.dtype)
            self._check_targets(experiment)
        except RowError as error:
            mark = None if error.column is None else source.locate(error.row, error.column)
            raise DataError(Diagnostic(error.message, mark=mark)) if mark else error from None
        self.all = np.arange(len(next(iter(self._arrays.values()))))
        self.splits = self._split()
        self._check_last_batch(experiment)

    def _check_last_batch(self, experiment: Experiment) -> None:
        """The last training batch may be too small for what full ones are large enough for."""
        for training, size in self.sizes():
            for problem in experiment.graph(size).untrainable() if training else ():
                mark = experiment.document.mark(problem.path)
                message = (
                    f"the last batch of an epoch has {size} of the {len(self.splits['train'])} training rows: "
                    f"{problem.message}; leave it out with loop.drop_last: true, or change loop.batch_size"
                )
                raise DataError(Diagnostic(message, problem.path, mark))

    def _check_targets(self, experiment: Experiment) -> None:
        """Let the loss look at its target, where that is a data field."""
        graph = experiment.graph(1)
        names = {value: name for name, value in graph.inputs.items()}
        for call in graph.calls:
            if isinstance(call.component, Loss) and (target := names.get(call.inputs[-1])) is not None:
                try:
                    call.component.check_target(graph.specs[call.inputs[0]], self._arrays[target])
                except RowError as error:
                    raise RowError(error.message, error.row, self._fields[target].columns[0]) from None

    def _split(self) -> dict[str, Array]:
        shares = {name: getattr(self._config.data.split, name) for name in ("train", "val", "test")}
        count = len(self.all)
        pieces = table.split(count, list(shares.values()), generator(self._config.seed, "split"))
        splits = dict(zip(shares, pieces, strict=True))
        for name, rows in splits.items():
            if self._training and shares[name] > 0 and not len(rows):
                raise DataError(f"the source has {count} rows, too few for a {name} share of {shares[name]:g}")
        if self._drop_last and len(splits["train"]) < self._batch_size:
            raise DataError(
                f"the {len(splits['train'])} training rows do not fill a batch of {self._batch_size}, and "
                "loop.drop_last leaves out what does not: lower loop.batch_size"
            )
        return {name: rows for name, rows in splits.items() if len(rows)}

    def sizes(self) -> list[Size]:
        """The plans that are needed: for full batches, and for the smaller last ones."""
        return [
            size
            for name, rows in self.splits.items()
            for size in self.sizes_of(rows, training=self._training and name == "train")
        ]

    def sizes_of(self, rows: Array, *, training: bool) -> list[Size]:
        """The plans that are needed for some rows."""
        full, rest = divmod(len(rows), self._batch_size)
        sizes = [(training, self._batch_size)] if full else []
        return sizes + [(training, rest)] * (rest > 0 and not (training and self._drop_last))

    @property
    def steps(self) -> int:
        """Training steps of one epoch."""
        full, rest = divmod(len(self.splits["train"]), self._batch_size)
        return full + (rest > 0 and not self._drop_last)

    def batches(self, rows: Array, plans: Plans, *, training: bool) -> Iterator[tuple[Plan, int]]:
        """Put one batch of these rows after another into its plan's buffers; the plan, and how many rows."""
        for start in range(0, len(rows), self._batch_size):
            chosen = rows[start : start + self._batch_size]
            if training and self._drop_last and len(chosen) < self._batch_size:
                return
            plan = plans[training, len(chosen)]
            for name, buffer in plan.inputs.items():
                # `clip` spares a copy of the result; row numbers are always in range.
                np.take(self._arrays[name], chosen, axis=0, out=buffer, mode="clip")
            yield plan, len(chosen)
