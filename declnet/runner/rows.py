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
    """All fields in memory, and the row numbers of each split. Splits without rows are left out."""

    def __init__(self, experiment: Experiment) -> None:
        """Read and split. DataError where a cell, a class or the number of rows is wrong."""
        self._config: Config = experiment.config
        self._batch_size = experiment.config.loop.batch_size
        self._drop_last = experiment.config.loop.drop_last
        self._fields = experiment.inputs | experiment.targets
        self._first_target = next(iter(experiment.targets), "")
        source = experiment.config.data.source
        try:
            self._arrays = table.read(source, self._fields, experiment.config.dtype)
            self._check_targets(experiment)
        except RowError as error:
            mark = None if error.column is None else source.locate(error.row, error.column)
            raise DataError(Diagnostic(error.message, mark=mark)) if mark else error from None
        self.splits = self._split()
        self._check_last_batch(experiment)

    def _check_last_batch(self, experiment: Experiment) -> None:
        """The last batch of a split may be too small for what full ones are large enough for."""
        for name, rows in self.splits.items():
            size = len(rows) % self._batch_size
            training = name == "train"
            if not size or (training and self._drop_last):
                continue
            for problem in experiment.graph(size).unfit(training=training):
                mark = experiment.document.mark(problem.path)
                mend = "leave it out with loop.drop_last: true, or change" if training else "change"
                message = (
                    f"the last batch of the {len(rows)} {name} rows has {size}: {problem.message}; "
                    f"{mend} loop.batch_size"
                )
                raise DataError(Diagnostic(message, problem.path, mark))

    def _check_targets(self, experiment: Experiment) -> None:
        """Let the loss look at its target, where that is a data field."""
        graph = experiment.graph(1)
        names = {value: name for name, value in graph.inputs.items()}
        makers = {call.output: call for call in graph.calls}
        for call in graph.calls:
            if not isinstance(call.component, Loss):
                continue
            value = call.inputs[-1]
            while value in makers and makers[value].component.alias(training=False) == "reshape":
                value = makers[value].inputs[0]
            if (target := names.get(value)) is not None:
                try:
                    call.component.check_target(graph.specs[call.inputs[0]], self._arrays[target])
                except RowError as error:
                    raise RowError(error.message, error.row, self._fields[target].columns[0]) from None

    def first_target(self, rows: Array) -> Array:
        """The first target of these rows, whether the loss reads it or not."""
        found: Array = self._arrays[self._first_target][rows]
        return found

    def _split(self) -> dict[str, Array]:
        shares = {name: getattr(self._config.data.split, name) for name in ("train", "val", "test")}
        count = len(next(iter(self._arrays.values())))
        pieces = table.split(count, list(shares.values()), generator(self._config.seed, "split"))
        splits = dict(zip(shares, pieces, strict=True))
        for name, rows in splits.items():
            if shares[name] > 0 and not len(rows):
                raise DataError(f"the source has {count} rows, too few for a {name} share of {shares[name]:g}")
        if self._drop_last and len(splits["train"]) < self._batch_size:
            raise DataError(
                f"the {len(splits['train'])} training rows do not fill a batch of {self._batch_size}, and "
                "loop.drop_last leaves out what does not: lower loop.batch_size"
            )
        return {name: rows for name, rows in splits.items() if len(rows)}

    def sizes(self) -> list[Size]:
        """The plans that are needed: for full batches, and for the smaller last ones."""
        sizes: list[Size] = []
        for name, rows in self.splits.items():
            training = name == "train"
            full, rest = divmod(len(rows), self._batch_size)
            if full:
                sizes.append((training, self._batch_size))
            if rest and not (training and self._drop_last):
                sizes.append((training, rest))
        return sizes

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
