"""A run that has been: its config, its summary, and what it learned, read from its directory and checked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

from declnet.core.source import Source
from declnet.core.spec import Array
from declnet.core.suggest import any_of
from declnet.errors import CheckpointError, ConfigError
from declnet.plan.store import Store
from declnet.runner import checkpoint
from declnet.runner.directory import folds_of
from declnet.runner.experiment import Experiment, load, source_of
from declnet.runner.files import content, machine
from declnet.runner.transformed import CLASSES, TRANSFORMS, Learned

Which = Literal["best", "last"]
"""The checkpoint: of the best epoch, as `loop.monitor` chose it, or where training stopped."""

CHANGED = "config.yaml was changed after training, or settings change the model"
"""Why a checkpoint may not fit."""


class Trained:
    """The directory of a run and one of its checkpoints."""

    def __init__(self, path: Path, which: Which = "best") -> None:
        """Read the checkpoint. ConfigError where this is no run directory, CheckpointError where it has no such
        checkpoint or a damaged one.
        """
        self.path, self.which = path, which
        self.file = path / "checkpoints" / f"{which}.npz"
        with machine(f"read {path}"):
            self._require_files()
        arrays, meta = checkpoint.load(self.file)
        self.epoch = meta.get("epoch")
        if type(self.epoch) is not int or self.epoch < 0:
            raise CheckpointError(f"{self.file}: damaged: it names no epoch")
        # Where parameters are averaged, the average is what is evaluated; that of the best epoch is its model.
        self.state: dict[str, Array] = checkpoint.part(arrays, "model/") | checkpoint.part(arrays, "ema/")
        self._arrays = {name: array for name, array in arrays.items() if name.startswith((TRANSFORMS, CLASSES))}

    def _require_files(self) -> None:
        with machine(f"read {self.path}"):
            run, here = (self.path / "config.yaml").is_file(), self.path.is_file()
        if not run:
            hint = "name the run's directory, not a file in it" if here else "`declnet train` writes one"
            raise ConfigError(f"{self.path}: not a run's directory, which has a config.yaml: {hint}")
        if folds := folds_of(self.path):
            raise several(self.path, folds)
        if not self.file.exists():
            other = "last" if self.which == "best" else "best"
            left = self.file.with_name(f"{other}.npz")
            hint = f"there is {left.name}: ask for the checkpoint {other!r}" if left.exists() else "train again"
            raise CheckpointError(f"{self.file}: the run has no such checkpoint; {hint}")

    def experiment(
        self, overrides: Sequence[str] = (), *, predicting: bool = False, alone: bool = False
    ) -> Experiment:
        """The config, checked. To predict, the file that was trained on need not be there any more; nor, with
        `alone`, what only splits are made of.
        """
        return load(self.path / "config.yaml", overrides, trained=predicting, alone=alone, begun=True)

    def source(self, overrides: Sequence[str] = ()) -> Source:
        """Where the config has its rows from."""
        return source_of(self.path / "config.yaml", overrides)

    def fill(self, store: Store) -> None:
        """Put what was learned into a store. CheckpointError where it is of another model."""
        try:
            store.load_state_dict(self.state)
        except CheckpointError as error:
            raise CheckpointError(f"{self.file}: {error.diagnostics[0].message}; {CHANGED}") from None

    def learned(self, experiment: Experiment) -> Learned:
        """What was learned before training. CheckpointError where it is of other transforms."""
        try:
            return Learned.of(experiment, self._arrays)
        except CheckpointError as error:
            raise CheckpointError(f"{self.file}: {error.diagnostics[0].message}; {CHANGED}") from None

    @cached_property
    def summary(self) -> dict[str, object] | None:
        """summary.json; None where the run did not come to its end."""
        return read_summary(self.path)


def read_summary(run: Path) -> dict[str, object] | None:
    """summary.json of a run, or of a cross-validation; None where that did not come to its end."""
    file = run / "summary.json"
    text = content(file)
    if text is None:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{file}: damaged, or not written by declnet: {error}") from None
    if not isinstance(found, dict):
        raise CheckpointError(f"{file}: damaged, or not written by declnet: not a JSON object")
    return found


def several(path: Path, folds: Sequence[Path]) -> ConfigError:
    """Say that a directory is that of several runs, where one is wanted."""
    names = any_of([str(fold) for fold in folds])
    return ConfigError(f"{path}: a cross-validation, each fold of which is a run of its own: name one, {names}")
