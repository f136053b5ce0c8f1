"""The figures of a run that has been, on its own rows or on those of another file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np

from declnet.core.metric import Result, matrices
from declnet.core.random import generator
from declnet.core.source import Source, innermost
from declnet.core.spec import Array
from declnet.core.threads import threads_for
from declnet.errors import ConfigError, dotted
from declnet.records import record
from declnet.runner.experiment import Experiment
from declnet.runner.measure import matrix_names, measure
from declnet.runner.model import Model
from declnet.runner.rows import Rows
from declnet.runner.trained import Trained

Part = Literal["test", "val", "train", "all"]
"""Which rows: those of a split, drawn as in training, or all of them."""


@record
class Evaluation:
    """Figures, and of how many rows. `matrices` are the axes of the figures that are such, `names` the names of
    their classes where they are known.
    """

    part: Part
    rows: int
    figures: dict[str, Result]
    matrices: dict[str, tuple[str, str]]
    names: dict[str, Sequence[str]]


def evaluate(
    trained: Trained, overrides: Sequence[str] = (), data: Path | None = None, part: Part | None = None
) -> Evaluation:
    """Evaluate the test rows, or `part` of the rows; of another file, all of them.

    The rows of a split are those of the training, in its batches, so the figures are the run's to the last bit.

    Raises:
        ConfigError: there is no such split, or the source reads no file; or settings are wrong.
        DataError: the data are wrong, or the last batch is too small for the model.
        CheckpointError: the checkpoint is of another model.
    """
    if data is not None:
        if part not in (None, "all"):
            raise ConfigError(f"the split {part!r} is one of the run's own rows; of another file all are evaluated")
        overrides = [*overrides, _reading(data, trained.source(overrides))]
    alone = data is not None  # all of its rows, whatever else there is to be split off
    experiment = trained.experiment(overrides, alone=alone)
    if experiment.config.loop.class_weights is not None:
        raise ConfigError(
            "loop.class_weights: classes are weighed when a run begins; its config.yaml has the weights"
        )
    rows = Rows(experiment, training=False, alone=alone, learned=trained.learned(experiment))
    part = part or ("test" if data is None else "all")
    chosen = rows.all if part == "all" else rows.splits.get(part)
    if chosen is None:
        raise ConfigError(f"the run has no {part} rows: data.split gives none; there is {_parts(rows)}")
    rows.require_fit(experiment, part, chosen, training=False)
    with restored(trained, experiment, rows, chosen) as model:
        figures = measure(model, rows, chosen)
    names = matrix_names(experiment, rows.learned.classes)
    return Evaluation(part, len(chosen), figures, matrices(experiment.config.loop.metrics), names)


@contextmanager
def restored(trained: Trained, experiment: Experiment, rows: Rows, chosen: Array) -> Iterator[Model]:
    """What a run learned, ready for these rows; within the block they are evaluated as the run itself would."""
    sizes = rows.sizes_of(chosen, training=False)
    model = Model(experiment, sizes, generator(experiment.config.seed, "noise"))
    trained.fill(model.store)
    # With the sizes of all splits, so that as many threads share a product as in training.
    largest = experiment.largest(size for _, size in {*sizes, *rows.sizes()})
    with np.errstate(all="ignore"), threads_for(largest):
        yield model


def _parts(rows: Rows) -> str:
    return ", ".join([*rows.splits, "all"])


def _reading(file: Path, source: Source) -> str:
    """The setting by which the source, or the one that it takes its rows from, reads this file."""
    path, inner = innermost(source)
    if "path" not in type(inner).model_fields:
        raise ConfigError(f"{inner.type} reads no file, so no other one can take its place")
    # JSON's strings are YAML's, whatever the file is called.
    return f"{dotted(('data', 'source', *path, 'path'))}={json.dumps(str(file), ensure_ascii=False)}"
