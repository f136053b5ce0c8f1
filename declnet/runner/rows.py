"""The rows of a run: read, checked, split, and put into plans batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from functools import cached_property

import numpy as np

from declnet.config.schema import Config
from declnet.config.split import PARTS
from declnet.core.component import Loss
from declnet.core.metric import Metric
from declnet.core.source import Source
from declnet.core.spec import Array, Spec, numpy_dtype
from declnet.data import table
from declnet.errors import DataError, Diagnostic, RowError
from declnet.plan.plan import Plan
from declnet.runner.experiment import Experiment
from declnet.runner.gathered import Gathered
from declnet.runner.model import Plans, Size
from declnet.runner.splitting import split_rows
from declnet.runner.traced import field_of


def checked(experiment: Experiment) -> Iterator[tuple[Loss | Metric, Spec, str]]:
    """The losses and the metrics whose targets are data fields: each with the output that it compares, and the
    name of the field.
    """
    graph = experiment.graph(1)
    checks: list[tuple[Loss | Metric, int, int]] = [
        (call.component, call.inputs[0], call.inputs[-1])
        for call in graph.calls
        if isinstance(call.component, Loss)
    ]
    measured = zip(experiment.config.loop.metrics, graph.measures, strict=True)
    checks += [(measure.metric, output, target) for measure, (output, target) in measured]
    for component, output, target in checks:
        if (name := field_of(graph, target)) is not None:
            yield component, graph.specs[output], name


class Rows:
    """All fields in memory, and the row numbers of each split. Splits without rows are left out.

    Rows that are only evaluated need not be enough to train on.
    """

    def __init__(self, experiment: Experiment, *, training: bool = True, alone: bool = False) -> None:
        """Read and split; `alone`, read nothing but `data.source`, and split nothing. DataError where a cell, a
        class or the number of rows is wrong.
        """
        self._config: Config = experiment.config
        self._training = training
        self._fields = experiment.inputs | experiment.targets
        self._targets = list(checked(experiment))
        self._gathered = Gathered(experiment, self._look, alone=alone)
        self._settle(experiment, alone=alone)

    def of(self, experiment: Experiment) -> Rows:
        """The same rows as another experiment splits them: another fold of the same config."""
        rows = copy(self)
        rows._settle(experiment, alone=False)
        return rows

    def _settle(self, experiment: Experiment, *, alone: bool) -> None:
        self._config = experiment.config
        self._drop_last = self._training and experiment.config.loop.drop_last
        self.splits: dict[str, Array] = {} if alone else self._split()
        size = experiment.config.loop.batch_size
        full = len(self.splits["train"]) if "train" in self.splits else len(self._gathered)
        self._batch_size = size if isinstance(size, int) else full
        if self._training:
            self._check_first_batch()
            for name, rows in self.splits.items():
                self.require_fit(experiment, name, rows, training=name == "train")

    @property
    def all(self) -> Array:
        """The numbers of all rows."""
        return np.arange(len(self._gathered))

    @cached_property
    def digest(self) -> int:
        """A check sum of all rows: other data give another one."""
        return self._gathered.digest()

    def _check_first_batch(self) -> None:
        count = len(self.splits["train"])
        if self._drop_last and count < self._batch_size:
            raise DataError(
                f"the {count} training rows do not fill a batch of {self._batch_size}, and loop.drop_last leaves "
                "out what does not: lower loop.batch_size"
            )

    def require_fit(self, experiment: Experiment, name: str, rows: Array, *, training: bool) -> None:
        """DataError where the last batch of some rows is too small for what full ones are large enough for."""
        size = len(rows) % self._batch_size
        if not size or (training and self._drop_last):
            return
        for problem in experiment.graph(size).unfit(training=training):
            mark = experiment.document.mark(problem.path)
            mend = "leave it out with loop.drop_last: true, or change" if training else "change"
            which = "rows" if name == "all" else f"{name} rows"
            message = (
                f"the last batch of the {len(rows)} {which} has {size}: {problem.message}; {mend} loop.batch_size"
            )
            raise DataError(Diagnostic(message, problem.path, mark))

    def _look(self, source: Source, arrays: Mapping[str, Array]) -> None:
        """Let the loss and the metrics look at their targets, where those are data fields, in the dtype that
        batches have.
        """
        for component, output, target in self._targets:
            field = self._fields[target]
            dtype = numpy_dtype(field.spec.kind, self._config.dtype)
            for start, block in table.blocks(arrays[target]):
                try:
                    component.check_target(output, block.astype(dtype, copy=False))
                except RowError as error:
                    hint = source.hint(field.columns[0])
                    raise RowError(error.message + hint, start + error.row, field.columns[0]) from None

    def _split(self) -> dict[str, Array]:
        split, pieces = self._config.data.split, self._gathered.pieces
        count = pieces[0].stop
        splits = split_rows(self._config, count, self._gathered.labels)
        for name in PARTS:
            if self._training and split.share(name) > 0 and not len(splits[name]):
                raise DataError(f"the source has {count} rows, too few for a {name} share of {split.share(name):g}")
        splits |= {piece.part: np.arange(piece.start, piece.stop) for piece in pieces if piece.part is not None}
        return {name: rows for name, rows in splits.items() if len(rows)}

    def blocks(self, name: str, chosen: Array) -> Iterator[Array]:
        """These rows of a field, in blocks of about a megabyte."""
        return self._gathered.blocks(name, chosen)

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
        return -(-(full + (rest > 0 and not self._drop_last)) // self._config.loop.accumulate)

    def cut(self, rows: Array, *, training: bool, skip: int = 0) -> Iterator[Array]:
        """These rows, batch by batch. The first `skip` batches are left out."""
        size = self._batch_size
        end = len(rows) - len(rows) % size if training and self._drop_last else len(rows)
        for start in range(skip * size, end, size):
            yield rows[start : start + size]

    def fill(self, chosen: Array, plans: Plans, *, training: bool) -> Plan:
        """Put these rows into the buffers of the plan for so many; the plan."""
        plan = plans[training, len(chosen)]
        for name, buffer in plan.inputs.items():
            self._gathered.take(name, chosen, buffer)
        return plan

    def batches(self, rows: Array, plans: Plans, *, training: bool, skip: int = 0) -> Iterator[tuple[Plan, int]]:
        """Put one batch of these rows after another into its plan's buffers; the plan, and how many rows. The first
        `skip` batches are left out.
        """
        for chosen in self.cut(rows, training=training, skip=skip):
            yield self.fill(chosen, plans, training=training), len(chosen)
