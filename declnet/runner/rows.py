"""The rows of a run: read, checked, split, and put into plans batch by batch."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from functools import cached_property

import numpy as np

from declnet.config.schema import Config
from declnet.core.component import Loss
from declnet.core.metric import Metric
from declnet.core.random import generator
from declnet.core.spec import Array, Spec
from declnet.core.suggest import some
from declnet.data import table
from declnet.errors import DataError, Diagnostic, RowError
from declnet.plan.plan import Plan
from declnet.runner.experiment import Experiment
from declnet.runner.model import Plans, Size
from declnet.runner.transformed import Learned, Transformed, located

Inverse = Callable[[Array], Array]


class Rows:
    """All fields in memory, and the row numbers of each split. Splits without rows are left out.

    Rows that are only evaluated need not be enough to train on.
    """

    def __init__(
        self,
        experiment: Experiment,
        *,
        training: bool = True,
        learned: Learned | None = None,
        noise: np.random.Generator | None = None,
    ) -> None:
        """Read, split and transform. DataError where a cell, a class or the number of rows is wrong.

        `learned` is what the transforms learned in training; left out, they learn from the training rows.
        `noise` is what augmentation of training batches draws from.
        """
        self._noise = noise
        self._config: Config = experiment.config
        self._training = training
        self._drop_last = training and experiment.config.loop.drop_last
        self._fields = experiment.inputs | experiment.targets
        source = experiment.config.data.source
        with located(experiment):
            read = table.read(source, self._fields, experiment.config.dtype)
        self.all = np.arange(len(next(iter(read.values()))))
        self.splits = self._split()
        with located(experiment):
            self.transformed = Transformed(experiment, read, self.splits.get("train", self.all[:0]), learned)
            self._check_targets(experiment)
        self.inverses = [*self._inverses(experiment)]
        size = experiment.config.loop.batch_size
        self._batch_size = size if isinstance(size, int) else len(self.splits.get("train", self.all))
        if training:
            self._check_first_batch()
            for name, rows in self.splits.items():
                self.require_fit(experiment, name, rows, training=name == "train")

    def _inverses(self, experiment: Experiment) -> Iterator[Inverse | None]:
        """What puts a metric's numbers into the units of its target's columns."""
        graph = experiment.graph(1)
        for measure, (_, target) in zip(experiment.config.loop.metrics, graph.measures, strict=True):
            field = graph.field_of(target, reshaped=False)
            pipeline = self.transformed.learned.pipelines.get(field or "")
            wanted = pipeline is not None and measure.metric.in_units and pipeline.invertible
            yield pipeline.invert if pipeline is not None and wanted else None

    @cached_property
    def digest(self) -> int:
        """A check sum of all rows: other data give another one."""
        found = 0
        for array in self.transformed.arrays():
            for _, block in table.blocks(array):  # an array may be a view of a file
                found = zlib.crc32(np.ascontiguousarray(block).reshape(-1).view(np.uint8).data, found)
        return found

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

    def _check_targets(self, experiment: Experiment) -> None:
        """Let the loss and the metrics look at their targets, where those are data fields."""
        graph = experiment.graph(1)
        checks: list[tuple[Loss | Metric, int, int]] = [
            (call.component, call.inputs[0], call.inputs[-1])
            for call in graph.calls
            if isinstance(call.component, Loss)
        ]
        measured = zip(experiment.config.loop.metrics, graph.measures, strict=True)
        checks += [(measure.metric, output, target) for measure, (output, target) in measured]
        for component, output, target in checks:
            if (name := graph.field_of(target)) is not None:
                self._check_target(experiment, component, graph.specs[output], name)

    def _check_target(self, experiment: Experiment, component: Loss | Metric, output: Spec, target: str) -> None:
        """Let a loss or a metric look at all rows of a target, in the dtype that batches have."""
        field = self._fields[target]
        for start, block in self.transformed.blocks(target):
            try:
                component.check_target(output, block)
            except RowError as error:
                names = self.transformed.classes.get(target, ())
                known = f"; there are {len(names)} classes: {some(names)}" if field.transforms and names else ""
                hint = known or experiment.config.data.source.hint(field.columns[0])
                raise RowError(error.message + hint, start + error.row, field.columns[0]) from None

    def _split(self) -> dict[str, Array]:
        shares = {name: getattr(self._config.data.split, name) for name in ("train", "val", "test")}
        count = len(self.all)
        pieces = table.split(count, list(shares.values()), generator(self._config.seed, "split"))
        splits = dict(zip(shares, pieces, strict=True))
        for name, rows in splits.items():
            if self._training and shares[name] > 0 and not len(rows):
                raise DataError(f"the source has {count} rows, too few for a {name} share of {shares[name]:g}")
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
        noise = self._noise if training else None
        for name, buffer in plan.inputs.items():
            self.transformed.gather(name, chosen, buffer, noise)
        return plan

    def batches(self, rows: Array, plans: Plans, *, training: bool, skip: int = 0) -> Iterator[tuple[Plan, int]]:
        """Put one batch of these rows after another into its plan's buffers; the plan, and how many rows. The first
        `skip` batches are left out.
        """
        for chosen in self.cut(rows, training=training, skip=skip):
            yield self.fill(chosen, plans, training=training), len(chosen)
