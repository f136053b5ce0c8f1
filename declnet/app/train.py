"""`declnet train`: train, show progress on stderr and the result on stdout."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from declnet.app import warn
from declnet.app.matrix import show_matrix
from declnet.app.output import count, figure, print_json, table, write, written
from declnet.app.progress import Progress, silent
from declnet.core.metric import matrices
from declnet.errors import DeclnetError
from declnet.records import record
from declnet.runner import resumption
from declnet.runner.events import Event, Finished
from declnet.runner.experiment import Experiment, load
from declnet.runner.measure import matrix_names
from declnet.runner.train import resume
from declnet.runner.train import train as run
from declnet.runner.watch import UNWATCHED, Watch

if TYPE_CHECKING:
    from declnet.app.profile import Measured


@record
class Wanted:
    """What to train: a config, into a new directory; or the run in a directory on, with a config that agrees."""

    config: Path | None
    overrides: Sequence[str]
    directory: Path | None
    run: Path | None

    def load(self, watch: Watch, *, strict: bool) -> tuple[Experiment, Iterator[Event]]:
        """The experiment, and what will happen."""
        if self.run is not None:
            experiment = resumption.load(self.run, self.overrides, self.config, strict=strict)
            return experiment, resume(experiment, self.run, watch)
        if self.config is None:
            raise AssertionError("the command line asks for a config or a run")
        experiment = load(self.config, self.overrides, strict=strict)
        return experiment, run(experiment, self.directory, watch)


def train(wanted: Wanted, *, strict: bool, as_json: bool, quiet: bool, measured: Measured | None = None) -> None:
    """Train, and print the summary and, if it was measured, the profile; that also where the run was stopped."""
    watch = UNWATCHED if measured is None else measured.watch
    experiment, events = watch.part("reading", wanted.load)(watch, strict=strict)
    warn(experiment.warnings)
    gc.freeze()  # what was loaded so far stays: later collections need not look at it
    gc.enable()
    try:
        summary = _follow(events, watch, quiet=quiet)
    except DeclnetError:
        if measured is not None and measured.stop():
            measured.show(as_json=as_json)
        raise
    if measured is not None:
        measured.stop()
    if as_json:
        print_json(summary if measured is None else summary | measured.plain())
        return
    axes, names = matrices(experiment.config.loop.metrics), matrix_names(experiment, _classes(summary))
    if "folds" in summary:
        from declnet.app.folds import show as show_folds

        show_folds(summary, axes, names)
    else:
        _show(summary, axes, names)
    if measured is not None:
        measured.show(as_json=False)


def _follow(events: Iterator[Event], watch: Watch, *, quiet: bool) -> dict[str, object]:
    """Show what happens; the summary."""
    summary: dict[str, object] = {}
    with silent() if quiet else Progress.to(sys.stderr) as progress:
        show = watch.part("progress", progress)
        for event in events:
            with written("stderr"):
                show(event)
            if isinstance(event, Finished):
                summary = event.summary
    return summary


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
