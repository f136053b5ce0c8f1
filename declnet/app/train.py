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
        _show(summary)


def _show(summary: dict[str, object]) -> None:
    """The figures of each split, and where everything is."""
    splits = {name: found for name in ("val", "test") if isinstance(found := summary.get(name), dict)}
    if splits:
        names = list(next(iter(splits.values())))
        rows = [
            (split, *("not finite" if found[name] is None else figure(found[name]) for name in names))
            for split, found in splits.items()
        ]
        table(
            f"{summary['name']}: best epoch {summary['best_epoch']} of {summary['epochs']}",
            ("", *names),
            rows,
        )
    parameters, seconds = summary["parameters"], summary["seconds"]
    write(f"{count(int(str(parameters)))} parameters, {seconds} s, written to {summary['run_dir']}")
