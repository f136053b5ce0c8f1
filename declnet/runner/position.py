"""Where a run is: what a checkpoint says beside its arrays, so that the run can go on from there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, NonNegativeInt, ValidationError

from declnet.config.loop import Loop
from declnet.core.spec import Array
from declnet.errors import CheckpointError, DataError
from declnet.records import record
from declnet.runner import checkpoint
from declnet.runner.directory import RunDirectory
from declnet.runner.experiment import Experiment
from declnet.runner.files import machine
from declnet.runner.monitor import Waiting, ending
from declnet.runner.transformed import Learned


class Partial(BaseModel):
    """What an epoch in progress has come to: all 0 between two epochs."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    step: NonNegativeInt = 0
    """Steps done."""
    loss: FiniteFloat = 0.0
    """Of the rows so far, added up."""
    rows: NonNegativeInt = 0
    skipped: NonNegativeInt = 0
    """Steps left out because they were not finite: `step` counts them, `rows` has none of theirs."""
    seconds: Annotated[float, Field(ge=0)] = 0.0


class Position(BaseModel):
    """The meta of `last.npz`."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    format: int = checkpoint.FORMAT
    epoch: NonNegativeInt = 0
    """Epochs done."""
    step: NonNegativeInt = 0
    """Steps done in all."""
    partial: Partial = Partial()
    """What has been done of the epoch after those."""
    best_epoch: NonNegativeInt = 0
    """0 where none has ended."""
    best: FiniteFloat | None = None
    """What was best about it."""
    waiting: Waiting = Waiting()
    data: NonNegativeInt = 0
    """Check sum of the rows."""
    init: dict[str, Any] | None = None
    """What the run took from a file of weights."""
    random: dict[Literal["noise", "shuffle"], dict[str, Any]] = {}
    """The states of the generators; that of shuffling is the one that the order of the epoch is drawn from."""


@record
class Saved:
    """A checkpoint to go on from."""

    path: Path
    position: Position
    arrays: Mapping[str, Array]

    def ended(self, loop: Loop) -> bool:
        """Whether there is nothing left to train."""
        where = self.position
        return not where.partial.step and ending(loop, where.epoch, where.step, where.waiting) is not None

    def require_data(self, digest: int) -> None:
        """DataError where the rows have another check sum than when the run began."""
        if self.position.data != digest:
            raise DataError(
                "the rows are not those that this run began with, so it cannot go on to the same end: put the data "
                "back as they were, or train a new run"
            )

    def restore(self, generator: np.random.Generator, purpose: Literal["noise", "shuffle"]) -> None:
        """Bring a generator to where it was."""
        try:
            generator.bit_generator.state = self.position.random[purpose]
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise CheckpointError(f"{self.path}: damaged: no state of the generator of {purpose}") from error

    def part(self, prefix: str) -> dict[str, Array]:
        """The arrays under a prefix, without it."""
        return checkpoint.part(self.arrays, prefix)

    def learned(self, experiment: Experiment) -> Learned:
        """What was learned before training. CheckpointError where it is of other transforms."""
        try:
            return Learned.of(experiment, self.arrays)
        except CheckpointError as error:
            raise CheckpointError(f"{self.path}: of another run: {error.diagnostics[0].message}") from None


def load(path: Path) -> Saved:
    """Read `last.npz`. CheckpointError where it is damaged, newer, or says too little to go on from."""
    arrays, meta = checkpoint.load(path)
    try:
        return Saved(path, Position.model_validate(meta), arrays)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise CheckpointError(
            f"{path}: a run cannot go on from it: {place}: {first['msg'].lower()}; it is damaged, or was written "
            "by another version of declnet"
        ) from None


def last(directory: RunDirectory) -> Saved | None:
    """The last checkpoint; None where the run was stopped before it wrote the first."""
    with machine(f"read {directory.checkpoints}"):
        names = {path.name for path in directory.checkpoints.iterdir()}
    if "last.npz" not in names and "best.npz" not in names and directory.summary() is None:
        return None
    return load(directory.checkpoints / "last.npz")


def done(directory: RunDirectory, saved: Saved | None, loop: Loop) -> dict[str, object] | None:
    """The summary of a run that there is nothing left to do of; None of one that goes on."""
    return None if saved is None or not saved.ended(loop) else directory.summary()
