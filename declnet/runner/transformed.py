"""The fields of a run's rows: transformed once, or batch by batch, with what was learned of the training rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from declnet.core.source import Source
from declnet.core.spec import Array, numpy_dtype
from declnet.core.transform import Rows, Texts
from declnet.data import table
from declnet.data.chain import FieldError
from declnet.data.pipeline import Pipeline
from declnet.errors import CheckpointError, DataError, Diagnostic, Path
from declnet.records import record
from declnet.runner.experiment import Experiment

TRANSFORMS = "transforms/"
"""Where a checkpoint has what transforms learned: transforms/<field>/<index>/<name>."""

CLASSES = "classes/"
"""Where it has the names of classes that are the source's own: classes/<field>."""


@record
class Learned:
    """What a run learned of its training rows before it trained: the transforms of fields, and names of classes."""

    pipelines: Mapping[str, Pipeline]
    classes: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, experiment: Experiment, arrays: Mapping[str, Array]) -> Learned:
        """From a checkpoint's arrays. CheckpointError where they are of other transforms."""
        own = {
            name.removeprefix(TRANSFORMS): array for name, array in arrays.items() if name.startswith(TRANSFORMS)
        }
        pipelines = {
            name: Pipeline.restore(name, field, own, experiment.config.dtype)
            for name, field in (experiment.inputs | experiment.targets).items()
            if field.transforms
        }
        named = {name.removeprefix(CLASSES): array for name, array in arrays.items() if name.startswith(CLASSES)}
        for name, array in named.items():
            if array.dtype.kind != "U" or array.ndim != 1:
                raise CheckpointError(f"the classes of {name!r} are no list of names")
        return cls(
            pipelines, {name: tuple(map(str, array.tolist())) for name, array in named.items()} | names(pipelines)
        )

    def apply(self, rows: Mapping[str, Rows]) -> dict[str, Array]:
        """Rows of fields as the model reads them. RowError where a cell does not fit."""
        found: dict[str, Array] = {}
        for name, values in rows.items():
            if (pipeline := self.pipelines.get(name)) is not None:
                found[name] = pipeline.whole(values)
            elif not isinstance(values, Texts):
                found[name] = values
        return found

    def state_dict(self) -> dict[str, Array]:
        """For a checkpoint."""
        found: dict[str, Array] = {}
        for name, pipeline in self.pipelines.items():
            found |= {f"{TRANSFORMS}{key}": array for key, array in pipeline.state_dict(name).items()}
        own = names(self.pipelines)
        given = {name: classes for name, classes in self.classes.items() if name not in own}
        return found | {f"{CLASSES}{name}": np.array(classes, np.str_) for name, classes in given.items()}


def names(pipelines: Mapping[str, Pipeline]) -> dict[str, tuple[str, ...]]:
    """The names of classes that transforms keep, by field."""
    return {name: found for name, pipeline in pipelines.items() if (found := pipeline.names)}


class Transformed:
    """The rows of one source, and what is still to be done to them when a batch is put together."""

    def __init__(self, experiment: Experiment, rows: dict[str, Rows], learned: Learned) -> None:
        """Transform what can be transformed at once; `rows` is empty then."""
        self._fields = experiment.inputs | experiment.targets
        self._dtype = experiment.config.dtype
        self.learned = learned
        self._rows: dict[str, Rows] = {}
        self._done: dict[str, int] = {}
        for name in list(rows):
            values, pipeline = rows.pop(name), self.learned.pipelines.get(name)
            end = pipeline.before_training(values) if pipeline is not None else 0
            self._rows[name] = pipeline.whole(values, end) if pipeline is not None and end else values
            self._done[name] = end

    def arrays(self) -> Iterator[Array]:
        """All that rows are made of."""
        for rows in self._rows.values():
            yield from (rows.codes, rows.values) if isinstance(rows, Texts) else (rows,)

    def gather(self, name: str, chosen: Array, buffer: Array, noise: np.random.Generator | None) -> None:
        """Put some rows of a field into a buffer, augmented where there is `noise`."""
        rows, pipeline = self._rows[name], self._pending(name)
        if pipeline is not None:
            buffer[...] = pipeline.apply(rows[chosen], self._done[name], numbers=chosen, rng=noise)
        elif isinstance(rows, Texts):
            raise AssertionError("texts without a transform were refused")
        elif rows.dtype == buffer.dtype and rows.flags.c_contiguous and rows.flags.aligned:
            # `clip` spares a copy of the result; row numbers are always in range.
            np.take(rows, chosen, axis=0, out=buffer, mode="clip")
        else:  # `take` would copy all of it
            buffer[...] = rows[chosen]

    def _pending(self, name: str) -> Pipeline | None:
        """What is still to be done to a field's rows."""
        pipeline = self.learned.pipelines.get(name)
        return pipeline if pipeline is not None and self._done[name] < len(pipeline.states) else None

    def blocks(self, name: str) -> Iterator[tuple[int, Array]]:
        """All rows of a field as batches have them, in blocks, each with the number of its first row."""
        rows, pipeline = self._rows[name], self._pending(name)
        dtype = numpy_dtype(self._fields[name].spec.kind, self._dtype)
        for start, block in table.blocks(rows.codes if isinstance(rows, Texts) else rows):
            if pipeline is None:
                yield start, block.astype(dtype, copy=False)
            else:
                stop = start + len(block)
                yield start, pipeline.apply(rows[start:stop], self._done[name], numbers=range(start, stop))

    def some(self, name: str, chosen: Array) -> Iterator[Array]:
        """Some rows of a field as batches have them, in blocks."""
        spec = self._fields[name].spec
        step = max(1, table.BLOCK // max(1, spec.nbytes(self._dtype)))
        for start in range(0, len(chosen), step):
            numbers = chosen[start : start + step]
            block = np.empty((len(numbers), *spec.shape), numpy_dtype(spec.kind, self._dtype))
            self.gather(name, numbers, block, None)
            yield block


def fitted(experiment: Experiment, rows: Mapping[str, Rows], train: Array) -> Learned:
    """Learn from the training rows. DataError, at the transform, where they have what it does not allow for."""
    pipelines: dict[str, Pipeline] = {}
    fields = experiment.inputs | experiment.targets
    for name, field in fields.items():
        if not field.transforms:
            continue
        try:
            pipelines[name] = Pipeline.fit(field, rows[name], train, experiment.config.dtype)
        except FieldError as error:
            path: Path = ("data", "inputs" if name in experiment.inputs else "targets", name, *error.path)
            raise DataError(Diagnostic(error.message, path, experiment.document.mark(path))) from None
    return Learned(pipelines, class_names(experiment, experiment.config.data.source) | names(pipelines))


def class_names(experiment: Experiment, source: Source) -> dict[str, tuple[str, ...]]:
    """The names of classes that are a source's own, by target."""
    return {
        name: found
        for name, field in experiment.targets.items()
        if not field.transforms and field.spec.kind == "int" and (found := source.class_names(field.columns[0]))
    }


def require_room(experiment: Experiment, learned: Learned) -> None:
    """DataError where an Embedding is too small for the indices that a transform gives."""
    graph = experiment.graph(1)
    for call in graph.calls:
        size = getattr(call.component, "num_embeddings", None)
        name = None if size is None else graph.field_of(call.inputs[0])
        pipeline = learned.pipelines.get(name or "")
        if size is not None and pipeline is not None and pipeline.indices > size:
            kind = pipeline.field.transforms[-1].type
            path: Path = (*call.path, "num_embeddings")
            message = f"there are {pipeline.indices} indices in {name!r}, 0 to {pipeline.indices - 1} ({kind})"
            raise DataError(Diagnostic(message, path, experiment.document.mark(path)))
