"""`declnet train`: train, show progress on stderr and the result on stdout."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from pathlib import Path

from declnet.app import warn
from declnet.app.output import count, figure, print_json, table, write
from declnet.app.progress import Progress, silent
from declnet.runner.events import Finished
from declnet.runner.experiment import load
from declnet.runner.train import train as run

LARGEST = 20
"""Rows of a matrix that is printed at most."""


def train(
    path: Path, overrides: Sequence[str], directory: Path | None, *, strict: bool, as_json: bool, quiet: bool
) -> None:
    """Train, and print the summary."""
    experiment = load(path, overrides, strict=strict)
    warn(experiment.warnings)
    gc.freeze()  # what was loaded so far stays: later collections need not look at it
    gc.enable()
    with silent() if quiet else Progress.to(sys.stderr) as show:
        for event in run(experiment, directory):
            show(event)
            if isinstance(event, Finished):
                summary = event.summary
    if as_json:
        print_json(summary)
    else:
        measures = experiment.config.loop.metrics
        _show(summary, {measure.label: axes for measure in measures if (axes := measure.metric.axes)})


def _show_matrix(title: str, axes: tuple[str, str], counts: list[list[int]]) -> None:
    """A matrix of counts as a table, unless it is too large to be read as one."""
    if len(counts) > LARGEST:
        write(f"{title}: {count(len(counts))} rows and columns, in summary.json")
        return
    rows, columns = axes
    lines = [(str(index), *map(count, line)) for index, line in enumerate(counts)]
    table(
        f"{title}: a row for each {rows}, a column for each it was {columns}",
        (rows, *map(str, range(len(counts)))),
        lines,
    )


def _show(summary: dict[str, object], matrices: dict[str, tuple[str, str]]) -> None:
    """The figures of each split, and where everything is; `matrices` are the axes of figures that are such."""
    splits = {name: found for name in ("val", "test") if isinstance(found := summary.get(name), dict)}
    if splits:
        names = [name for name in next(iter(splits.values())) if name not in matrices]
        rows = [(split, *(figure(found[name]) for name in names)) for split, found in splits.items()]
        table(
            f"{summary['name']}: best epoch {summary['best_epoch']} of {summary['epochs']}",
            ("", *names),
            rows,
        )
    for name, axes in matrices.items():
        for split, found in splits.items():
            _show_matrix(f"{split} {name}", axes, found[name])
    parameters, seconds = summary["parameters"], summary["seconds"]
    write(f"{count(int(str(parameters)))} parameters, {seconds} s, written to {summary['run_dir']}")
