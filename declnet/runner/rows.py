"""The rows of a run: read, checked, split, transformed, and put into plans batch by batch."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from functools import cached_property

import numpy as np

from declnet.config.schema import Config
from declnet.config.split import PARTS
from declnet.core.component import Loss
from declnet.core.metric import Metric
from declnet.core.spec import Array, Spec
from declnet.core.suggest import some
from declnet.data import table
from declnet.errors import DataError, Diagnostic, RowError
from declnet.plan.plan import Plan
from declnet.runner.experiment import Experiment
from declnet.runner.gathered import SOURCE, Gathered, Piece, located
from declnet.runner.model import Plans, Size
from declnet.runner.splitting import SPLIT, split_rows
from declnet.runner.transformed import Learned, Transformed, class_names, fitted, require_room

Inverse = Callable[[Array], Array]


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
        if (name := graph.field_of(target)) is not None:
            yield component, graph.specs[output], name


class Rows:
    """All fields in memory, and the row numbers of each split. Splits without rows are left out.

    Rows that are only evaluated need not be enough to train on.
    """

    noise: np.random.Generator | None = None
    """What the augmentation of training batches draws from."""

    def __init__(
        self,
        experiment: Experiment,
        *,
        training: bool = True,
        alone: bool = False,
        learned: Learned | None = None,
        gathered: Gathered | None = None,
    ) -> None:
        """Read, split and transform; `alone`, read nothing but `data.source`, and split nothing. DataError where a
        cell, a class or the number of rows is wrong.

        `learned` is what the transforms learned in training; left out, they learn from the training rows.
        `gathered` is what has been read of a config with folds.
        """
        self._config: Config = experiment.config
        self._training = training
        self._drop_last = self._training and experiment.config.loop.drop_last
        self._fields = experiment.inputs | experiment.targets
        self._gathered = gathered or Gathered(experiment, alone=alone)
        with located(experiment, self._gathered.pieces[0].source, None):
            self.splits: dict[str, Array] = {} if alone else self._split()
        self._starts = np.array([piece.start for piece in self._gathered.pieces])
        train, first = self.splits.get("train", np.arange(0)), self._gathered.pieces[0]
        with located(experiment, first.source, None):
            self.learned = fitted(experiment, first.rows, train) if learned is None else learned
            require_room(experiment, self.learned)
        self._pieces = [self._transformed(experiment, piece) for piece in self._gathered.pieces]
        self.inverses = [*self._inverses(experiment)]
        size = experiment.config.loop.batch_size
        full = len(self.splits["train"]) if "train" in self.splits else self._gathered.count
        self._batch_size = size if isinstance(size, int) else full
        if self._training:
            self._check_first_batch()
            for name, rows in self.splits.items():
                self.require_fit(experiment, name, rows, training=name == "train")

    @property
    def all(self) -> Array:
        """The numbers of all rows."""
        return np.arange(self._gathered.count)

    def of(self, experiment: Experiment) -> Rows:
        """The same rows as another fold of the same config splits them, and learns from them."""
        return Rows(experiment, training=self._training, gathered=self._gathered)

    def _transformed(self, experiment: Experiment, piece: Piece) -> Transformed:
        """The rows of a source as the model reads them, their targets looked at."""
        self._require_same_names(experiment, piece)
        # Folds transform them again; else their memory is free once they are.
        rows = piece.rows if experiment.config.loop.folds is None else dict(piece.rows)
        with located(experiment, piece.source, piece.part):
            transformed = Transformed(experiment, rows, self.learned)
            for component, output, target in checked(experiment):
                self._check_target(transformed, piece, component, output, target)
        return transformed

    def _require_same_names(self, experiment: Experiment, piece: Piece) -> None:
        """Refuse a source whose integers stand for other things than those that were learned."""
        path, there = (SOURCE, "in the run") if piece.part is None else ((*SPLIT, piece.part), "in data.source")
        for target, own in class_names(experiment, piece.source).items():
            known = self.learned.classes.get(target, own)
            if own == known:
                continue
            first = next((i for i, pair in enumerate(zip(own, known, strict=False)) if len({*pair}) > 1), None)
            where = (
                f"{len(own)} of them here, {len(known)} {there}"
                if first is None
                else f"{first} is {own[first]!r} here and {known[first]!r} {there}"
            )
            message = f"its numbers stand for other things than those that are trained on: {where}"
            raise DataError(Diagnostic(message, path, experiment.document.mark(path)))

    def _inverses(self, experiment: Experiment) -> Iterator[Inverse | None]:
        """What puts a metric's numbers into the units of its target's columns."""
        graph = experiment.graph(1)
        for measure, (_, target) in zip(experiment.config.loop.metrics, graph.measures, strict=True):
            field = graph.field_of(target, reshaped=False)
            pipeline = self.learned.pipelines.get(field or "")
            wanted = pipeline is not None and measure.metric.in_units and pipeline.invertible
            yield pipeline.invert if pipeline is not None and wanted else None

    def arrays(self) -> Iterator[Array]:
        """All that the rows are made of."""
        for piece in self._pieces:
            yield from piece.arrays()

    @cached_property
    def digest(self) -> int:
        """A check sum of all rows, of what was learned of them and of what they are split by: other data give
        another one.
        """
        found = 0
        if len(self._starts) > 1:  # a row that went from one file to another is a change
            found = zlib.crc32(self._starts.data, found)
        labels = () if self._gathered.labels is None else (self._gathered.labels,)
        for array in (*self.arrays(), *self.learned.state_dict().values(), *labels):
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

    def _check_target(
        self, transformed: Transformed, piece: Piece, component: Loss | Metric, output: Spec, target: str
    ) -> None:
        """Let a loss or a metric look at all rows of a target, in the dtype that batches have."""
        field = self._fields[target]
        for start, block in transformed.blocks(target):
            try:
                component.check_target(output, block)
            except RowError as error:
                names = self.learned.classes.get(target, ())
                known = f"; there are {len(names)} classes: {some(names)}" if field.transforms and names else ""
                hint = known or piece.source.hint(field.columns[0])
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
        """These rows of a field as batches have them, in blocks of about a megabyte."""
        for piece, transformed in zip(self._gathered.pieces, self._pieces, strict=True):
            inside = chosen[(chosen >= piece.start) & (chosen < piece.stop)] - piece.start
            yield from transformed.some(name, inside)

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
        noise = self.noise if training else None
        if len(self._starts) == 1:
            self._gather(0, chosen, plan, noise)
            return plan
        owners = np.searchsorted(self._starts, chosen, side="right") - 1
        if (owners == owners[0]).all():  # as in every split; only `all` mixes sources
            self._gather(owners[0], chosen, plan, noise)
            return plan
        for number in np.unique(owners):
            inside = owners == number
            for name, buffer in plan.inputs.items():
                part = np.empty_like(buffer[inside])
                self._pieces[number].gather(name, chosen[inside] - self._starts[number], part, noise)
                buffer[inside] = part
        return plan

    def _gather(self, number: int, chosen: Array, plan: Plan, noise: np.random.Generator | None) -> None:
        """Put rows of one source into a plan's buffers."""
        start = self._gathered.pieces[number].start
        inside = chosen - start if start else chosen
        for name, buffer in plan.inputs.items():
            self._pieces[number].gather(name, inside, buffer, noise)

    def batches(self, rows: Array, plans: Plans, *, training: bool, skip: int = 0) -> Iterator[tuple[Plan, int]]:
        """Put one batch of these rows after another into its plan's buffers; the plan, and how many rows. The first
        `skip` batches are left out.
        """
        for chosen in self.cut(rows, training=training, skip=skip):
            yield self.fill(chosen, plans, training=training), len(chosen)
