"""`declnet train`: train, show progress on stderr and the result on stdout."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from declnet.app import warn
from declnet.app.matrix import show_matrix
from declnet.app.output import count, figure, print_json, table, write
from declnet.app.progress import Progress, silent
from declnet.core.metric import matrices
from declnet.records import record
from declnet.runner import resumption
from declnet.runner.events import Event, Finished
from declnet.runner.experiment import Experiment, load
from declnet.runner.measure import matrix_names
from declnet.runner.train import resume
from declnet.runner.train import train as run


@record
class Wanted:
    """What to train: a config, into a new directory; or the run in a directory on, with a config that agrees."""

    config: Path | None
    overrides: Sequence[str]
    directory: Path | None
    run: Path | None

    def load(self, *, strict: bool) -> tuple[Experiment, Iterator[Event]]:
        """The experiment, and what will happen."""
        if self.run is not None:
            experiment = resumption.load(self.run, self.overrides, self.config, strict=strict)
            return experiment, resume(experiment, self.run)
        if self.config is None:
            raise AssertionError("the command line asks for a config or a run")
        experiment = load(self.config, self.overrides, strict=strict)
        return experiment, run(experiment, self.directory)


def train(wanted: Wanted, *, strict: bool, as_json: bool, quiet: bool) -> None:
    """Train, and print the summary."""
    experiment, events = wanted.load(strict=strict)
    warn(experiment.warnings)
    gc.freeze()  # what was loaded so far stays: later collections need not look at it
    gc.enable()
    with silent() if quiet else Progress.to(sys.stderr) as show:
        for event in events:
            show(event)
            if isinstance(event, Finished):
                summary = event.summary
    if as_json:
        print_json(summary)
        return
    axes, names = matrices(experiment.config.loop.metrics), matrix_names(experiment, _classes(summary))
    if "folds" in summary:
        from declnet.app.folds import show as show_folds

        show_folds(summary, axes, names)
    else:
        _show(summary, axes, names)


def _end(summary: dict[str, object]) -> str:
    """What ended the run, where it was not the number of epochs."""
    return "" if summary["ended_by"] == "epochs" else f", ended by {summary['ended_by']}"


def _classes(summary: dict[str, object]) -> dict[str, list[str]]:
    """The names of classes, by data field."""
    found = summary.get("classes")
    return found if isinstance(found, dict) else {}


def _show(
    summary: dict[str, object], matrices: dict[str, tuple[str, str]], names: dict[str, Sequence[str]]
) -> None:
    """The figures of each split, and where everything is; `matrices` are the axes of figures that are such, and
    `names` those of their classes.
    """
    splits = {name: found for name in ("val", "test") if isinstance(found := summary.get(name), dict)}
    if splits:
        numbers = [name for name in next(iter(splits.values())) if name not in matrices]
        rows = [(split, *(figure(found[name]) for name in numbers)) for split, found in splits.items()]
        table(
            f"{summary['name']}: best epoch {summary['best_epoch']} of {summary['epochs']}{_end(summary)}",
            ("", *numbers),
            rows,
        )
    for name, axes in matrices.items():
        for split, found in splits.items():
            show_matrix(f"{split} {name}", axes, found[name], "in summary.json", names.get(name, ()))
    parameters, seconds = summary["parameters"], summary["seconds"]
    write(f"{count(int(str(parameters)))} parameters, {seconds} s, written to {summary['run_dir']}")
