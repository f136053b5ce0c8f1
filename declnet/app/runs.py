"""`declnet runs`: a table of runs, with what came of each."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from declnet.app import warn
from declnet.app.output import count, figure, print_json, table, write
from declnet.runner.history import STARTED, history
from declnet.runner.past import Figures, Run


def runs(directory: Path, *, sort: str, limit: int | None, as_json: bool) -> None:
    """Print the newest or the best runs of a directory."""
    found = history(directory, sort, limit)
    warn(found.warnings)
    if as_json:
        print_json([described(run) for run in found.runs])
        return
    if not found.runs:
        write(f"no runs in {directory}")
        return
    names = figure_names(found.runs)
    rows = [
        (
            label(run.path),
            date(run),
            run.state,
            epochs(run),
            optional(run.parameters),
            optional(run.best_epoch),
            *(cell(run.figures, name) for name in names),
        )
        for run in found.runs
    ]
    some = f"{count(len(rows))} of " if len(rows) < found.total else ""
    title = f"{some}{count(found.total)} run{'s' * (found.total > 1)} in {directory}"
    headers = ("run", "started", "state", "epochs", "parameters", "best epoch", *names)
    table(title if sort == STARTED else f"{title}, by {sort}", headers, rows, left=(0, 2))


def figure_names(runs: Iterable[Run]) -> list[str]:
    """The figures that some of the runs have, those on the test rows last."""
    return sorted(dict.fromkeys(name for run in runs for name in run.figures), key=lambda name: name[:5] == "test_")


def label(path: Path) -> str:
    """What a run is called among others: its directory's name."""
    return path.name or str(path)


def date(run: Run) -> str:
    """When it started, in local time."""
    return run.started.strftime("%Y-%m-%d %H:%M")


def epochs(run: Run) -> str:
    """How many are done, of how many; of a cross-validation, folds."""
    if run.folds is not None:
        done, planned = run.folds
        return f"{done} folds" if done == planned else f"{done}/{planned} folds"
    return str(run.epochs) if run.planned is None else f"{run.epochs}/{run.planned}"


def optional(number: int | None) -> str:
    """A count, nothing where it is not known."""
    return "" if number is None else count(number)


def cell(figures: Figures, name: str) -> str:
    """A figure, nothing where there is none."""
    if name not in figures:
        return ""
    value = figures[name]
    return "not finite" if value is None else figure(value)


def described(run: Run) -> dict[str, object]:
    """A run for programs."""
    return {
        "run": str(run.path),
        "name": run.name,
        "started": run.started.isoformat(timespec="seconds"),
        "state": run.state,
        "epochs": run.epochs,
        "planned_epochs": run.planned,
        "parameters": run.parameters,
        "best_epoch": run.best_epoch,
        "folds": None if run.folds is None else {"done": run.folds[0], "planned": run.folds[1]},
        "seconds": run.seconds,
        "figures": run.figures,
    }
