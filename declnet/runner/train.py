"""Training: a run that begins, and one that goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from declnet.runner.directory import RunDirectory
from declnet.runner.events import Event, Finished
from declnet.runner.experiment import Experiment
from declnet.runner.position import done, last
from declnet.runner.training import Training
from declnet.runner.watch import UNWATCHED, Watch


def train(experiment: Experiment, directory: Path | None = None, watch: Watch = UNWATCHED) -> Iterator[Event]:
    """Train, and yield what happens; `watch` sees what it is made of.

    The run directory is made once all data have been read and all memory is there: what is refused before
    leaves nothing behind. A first SIGINT or SIGTERM ends the run after the step in progress and a checkpoint.

    Raises:
        DataError: the data are wrong.
        NonFiniteError: a loss is not a finite number; the parameters that gave it are not saved.
        MachineError: the machine refused to write or allocate.
        Interrupted: a signal stopped the run.
    """
    if folded(experiment):
        from declnet.runner import folds

        yield from folds.train(experiment, directory, watch)
        return
    run = watch.part("reading", Training)(experiment, watch=watch)
    with watch.part("records", RunDirectory.create)(experiment.config.name, directory) as made:
        yield from run.events(made)


def resume(experiment: Experiment, directory: Path, watch: Watch = UNWATCHED) -> Iterator[Event]:
    """Go on with the run in a directory, from its last checkpoint, to the same bits as if it had never stopped.

    `experiment` is the run's own (`declnet.runner.resumption.load`). A run that is done is left as it is.

    Raises:
        CheckpointError: a checkpoint is missing, damaged, newer, or of another model.
        BusyError: another process is at it.
        and what `train` raises.
    """
    if folded(experiment):
        from declnet.runner import folds

        yield from folds.resume(experiment, directory, watch)
        return
    with RunDirectory.open(directory) as opened:
        saved = watch.part("reading", last)(opened)
        if (summary := done(opened, saved, experiment.config.loop)) is not None:
            yield Finished(summary, before=True)
        else:
            run = watch.part("reading", Training)(experiment, saved=saved, watch=watch)
            yield from run.events(opened, saved)


def folded(experiment: Experiment) -> bool:
    """Whether this is a cross-validation, of which each fold is a run."""
    loop = experiment.config.loop
    return loop.folds is not None and loop.fold is None
