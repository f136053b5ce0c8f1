"""The Python API: train from a config, go on with a run, load it, predict and evaluate with it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NoReturn

import numpy as np

from declnet.config.plain import plain
from declnet.core.metric import Result
from declnet.core.spec import Array
from declnet.errors import (
    BusyError,
    CheckpointError,
    ConfigError,
    DataError,
    DeclnetError,
    Diagnostic,
    Interrupted,
    MachineError,
    NonFiniteError,
)
from declnet.runner.differences import config as read_config
from declnet.runner.directory import folds_of
from declnet.runner.evaluate import Part
from declnet.runner.evaluate import evaluate as run_evaluation
from declnet.runner.events import EpochEnded, Event, Finished, FoldEnded, Started, Stepped
from declnet.runner.experiment import load as load_experiment
from declnet.runner.inputs import fitting
from declnet.runner.predict import Predictor
from declnet.runner.readings import tell, told
from declnet.runner.resumption import load as load_resumption
from declnet.runner.train import resume as run_resumption
from declnet.runner.train import train as run_training
from declnet.runner.trained import Trained, Which, read_summary, several

__all__ = [
    "Run",
    "CrossValidation",
    "load",
    "resume",
    "train",
    "Event",
    "Started",
    "Stepped",
    "EpochEnded",
    "FoldEnded",
    "Finished",
    "BusyError",
    "CheckpointError",
    "ConfigError",
    "DataError",
    "DeclnetError",
    "Diagnostic",
    "Interrupted",
    "MachineError",
    "NonFiniteError",
]


def train(
    config: str | Path | Mapping[str, object],
    *overrides: str,
    run_dir: str | Path | None = None,
    on_event: Callable[[Event], None] | None = None,
) -> Run:
    """Train, write a run directory as `declnet train` does, and load the run; with loop.folds, all of the
    cross-validation, as a `CrossValidation`.

    Parameters:
        config: the path of a YAML file, or what one would hold; its relative paths start at the current folder.
        overrides: settings to change, as on the command line: "optimizer.lr=0.01".
        run_dir: a new or empty directory; left out: runs/<name>-<n>.
        on_event: called with what happens: Started, Stepped, EpochEnded, FoldEnded, Finished.

    Raises:
        ConfigError: the config is wrong; it holds all mistakes, each with its place.
        DataError: the data are wrong.
        NonFiniteError: training went non-finite.
        MachineError: the machine refused to write or allocate.
        Interrupted: a signal stopped the run, after a checkpoint.
    """
    experiment = load_experiment(config, overrides)
    for item in experiment.warnings:
        warnings.warn(str(item), stacklevel=2)
    return _followed(run_training(experiment, None if run_dir is None else Path(run_dir)), on_event)


def resume(run: str | Path, *overrides: str, on_event: Callable[[Event], None] | None = None) -> Run:
    """Go on with a run, or a cross-validation, that was stopped or killed, to the same bits as if it had never
    stopped, and load it. One that is done is left as it is.

    Parameters:
        run: its directory.
        overrides: "loop.epochs=100" makes it longer; nothing else may change.
        on_event: called with what happens, as in `train`.

    Raises:
        ConfigError: this is no run directory, or a setting is not what it was.
        CheckpointError: a checkpoint is missing, damaged, newer, or of another model.
        BusyError: another process is at it.
        and what `train` raises.
    """
    path = Path(run)
    return _followed(run_resumption(load_resumption(path, overrides), path), on_event)


def _followed(events: Iterator[Event], on_event: Callable[[Event], None] | None) -> Run:
    """Let it happen, and load what came of it."""
    for event in events:
        if on_event is not None:
            on_event(event)
        if isinstance(event, Finished):
            return load(str(event.summary["run_dir"]))
    raise AssertionError("a run ends with Finished")


def load(run: str | Path, checkpoint: Which = "best") -> Run:
    """Load a run from its directory: what it had learned in its best epoch, or the `last` it wrote. From that of a
    cross-validation a `CrossValidation`.

    Raises:
        ConfigError: this is no run directory.
        CheckpointError: there is no such checkpoint, or it is damaged or of another model.
    """
    return CrossValidation(run, checkpoint) if folds_of(Path(run)) else Run(run, checkpoint)


class Run:
    """A run that has been: its config, its figures, and a network to predict with."""

    def __init__(self, path: str | Path, checkpoint: Which = "best") -> None:
        """Read the directory. As `load`."""
        self._trained = Trained(Path(path), checkpoint)
        self._predictor = Predictor(self._trained)

    def __repr__(self) -> str:
        return f"<declnet.Run {str(self.path)!r}, checkpoint {self._trained.which!r}>"

    @property
    def path(self) -> Path:
        """The run directory."""
        return self._trained.path

    @property
    def config(self) -> dict[str, object]:
        """The config as plain data, complete: every default and every inferred size is in it."""
        return plain(self._predictor.experiment.config, self.path)

    @property
    def summary(self) -> dict[str, object] | None:
        """What summary.json holds; None where the run did not come to its end."""
        return self._trained.summary

    @property
    def parameters(self) -> dict[str, Array]:
        """Parameters and buffers by the names they have in PyTorch's state_dict: copies."""
        return {name: array.copy() for name, array in self._predictor.store.state_dict().items()}

    @property
    def classes(self) -> dict[str, tuple[str, ...]]:
        """The names of the classes that a target counts from 0, by data field, where they are known."""
        return dict(self._predictor.learned.classes)

    def predict(
        self, inputs: Mapping[str, Array] | Array, batch_size: int | None = None, *, probabilities: bool = False
    ) -> Array | dict[str, Array]:
        """What the network makes of some rows, in evaluation mode; of several outputs a dict by name. Where a loss
        compares an output with a target, it is in the units of the target's columns, before their transforms.

        Parameters:
            inputs: an array for each data field that the model reads, rows first; where that is one, the array. It
                holds what the field's columns hold, before transforms: texts too, and nan or None for what is
                missing where a transform fills it in.
            batch_size: rows at a time; left out: the config's, which gives the bits of the run's own evaluation
                (32 where that says full).
            probabilities: what an output stands for by its loss: softmax for CrossEntropyLoss, exp for NLLLoss,
                sigmoid for BCEWithLogitsLoss, itself for BCELoss.

        Raises:
            DataError: an input is missing, or its shape or what it holds does not fit.
            ConfigError: the model ends in something that is not one for each row, or in no probabilities.
        """
        predictor = self._predictor
        fields, dtype = predictor.experiment.inputs, predictor.experiment.config.dtype
        if not isinstance(inputs, Mapping):
            if len(fields) > 1:
                raise DataError(f"the model reads {', '.join(fields)}: give a mapping from these names to arrays")
            inputs = {next(iter(fields)): inputs}
        rows = fitting(inputs, fields, predictor.learned, dtype)
        size = predictor.batch_size if batch_size is None else batch_size
        if size < 1:
            raise ConfigError(f"batch_size must be greater than 0, got {size}")
        items = told(predictor.experiment, predictor.learned, probabilities=probabilities, predictions=False)
        count = len(next(iter(rows.values())))
        found = {item.name: np.empty((count, *item.shape), item.dtype(dtype)) for item in items}
        start = 0
        with predictor.running():
            for outputs in predictor.batches([rows], size):
                for name, array in tell(items, outputs).items():
                    found[name][start : start + len(array)] = array
                start += len(outputs[0])
        return found if len(found) > 1 else found[items[0].name]

    def evaluate(
        self, *overrides: str, data: str | Path | None = None, split: Part | None = None
    ) -> dict[str, Result]:
        """Loss and metrics of the run's test rows, or of other rows.

        Parameters:
            overrides: settings to change, as on the command line: "loop.metrics=[accuracy]".
            data: another file in place of the source's, of which all rows are evaluated.
            split: test, val or train, drawn as in training, or all rows; left out: test.

        Raises:
            ConfigError: there are no such rows, or settings are wrong.
            DataError: the data are wrong, or the source's file is not there.
        """
        return run_evaluation(self._trained, overrides, None if data is None else Path(data), split).figures


class CrossValidation(Run):
    """A cross-validation that has been: its config, its figures, and the run of each fold, which is what predicts
    and evaluates; this as a whole does not.
    """

    def __init__(self, path: str | Path, checkpoint: Which = "best") -> None:
        """Read the directory and those of its folds. As `load`."""
        self._path = Path(path)
        self._folds = tuple(Run(fold, checkpoint) for fold in folds_of(self._path))

    def __repr__(self) -> str:
        return f"<declnet.CrossValidation {str(self.path)!r}, {len(self.folds)} folds>"

    @property
    def folds(self) -> tuple[Run, ...]:
        """The run of each fold; its test rows are those that the fold left out."""
        return self._folds

    @property
    def path(self) -> Path:
        """The directory."""
        return self._path

    @property
    def config(self) -> dict[str, object]:
        """The config as plain data, complete but for what each fold infers."""
        return read_config(self.path, self.path)

    @property
    def summary(self) -> dict[str, object] | None:
        """What summary.json holds: each fold's figures, mean, std, and pooled, those of all rows together. None
        where not all folds have come to their end.
        """
        return read_summary(self.path)

    @property
    def parameters(self) -> dict[str, Array]:
        """ConfigError: each fold has its own."""
        self._refuse()

    def predict(
        self, inputs: Mapping[str, Array] | Array, batch_size: int | None = None, *, probabilities: bool = False
    ) -> Array | dict[str, Array]:
        """ConfigError: ask one of the folds."""
        self._refuse()

    def evaluate(
        self, *overrides: str, data: str | Path | None = None, split: Part | None = None
    ) -> dict[str, Result]:
        """ConfigError: ask one of the folds."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise several(self.path, [fold.path for fold in self.folds])
