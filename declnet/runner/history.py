"""The runs in a directory, the newest or the best first. Nothing is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from declnet.core.suggest import did_you_mean, some
from declnet.errors import ConfigError, DeclnetError, Diagnostic
from declnet.records import record
from declnet.runner.directory import RUNS
from declnet.runner.files import machine
from declnet.runner.past import Run, config_of, read

STARTED = "started"
COUNTS = ("epochs", "parameters", "best_epoch", "seconds")
"""What runs can be sorted by, beside their figures."""


@record
class History:
    """The runs that were asked for, how many there are, and warnings of what is none or is damaged."""

    runs: list[Run]
    total: int
    warnings: list[Diagnostic]


def history(directory: Path, sort: str = STARTED, limit: int | None = None) -> History:
    """The first runs of a directory, the newest or the best first; it may also be the directory of one run.

    Where the newest are asked for, the files of the others are not read.

    Raises:
        ConfigError: there is no such directory, or no run has that figure.
        MachineError: the directory cannot be read.
    """
    folders, warnings = _folders(directory)
    runs: list[Run] = []
    total = len(folders)
    for path in folders:
        if sort == STARTED and len(runs) == limit:
            break
        try:
            runs.append(read(path))
        except DeclnetError as error:
            total -= 1
            warnings.append(_warning(error))
    if sort != STARTED and runs:
        runs = _best_first(runs, sort)[:limit]
    return History(runs, total, warnings)


def _folders(directory: Path) -> tuple[list[Path], list[Diagnostic]]:
    """The directories of runs, the newest first, and warnings of those that are none."""
    with machine(f"read {directory}"):
        if not directory.is_dir():
            what = "this is no directory" if directory.exists() else "there is no such directory"
            hint = "; declnet train writes runs to it" if directory == RUNS else ""
            raise ConfigError(f"{directory}: {what}{hint}")
        if (directory / "config.yaml").exists():
            return [directory], []
        inside = sorted(path for path in directory.iterdir() if not path.name.startswith(".") and path.is_dir())
    dated: list[tuple[int, Path]] = []
    warnings = []
    for path in inside:
        try:
            dated.append((-config_of(path).st_mtime_ns, path))
        except DeclnetError as error:
            warnings.append(_warning(error))
    return [path for _, path in sorted(dated)], warnings


def _warning(error: DeclnetError) -> Diagnostic:
    return replace(error.diagnostics[0], severity="warning")


def _best_first(runs: list[Run], name: str) -> list[Run]:
    """Sorted by a figure or a count; the runs that have none come last, in the order they were in."""
    known = dict.fromkeys([*(figure for run in runs for figure in run.figures), *COUNTS, STARTED])
    if name not in known:
        near = did_you_mean(name, known) or f"; there is {some(list(known))}"
        raise ConfigError(f"--sort: these runs have no {name!r}{near}")
    sign = -1 if _higher_is_better(name) else 1

    def place(run: Run) -> tuple[bool, float]:
        value: float | None = getattr(run, name) if name in COUNTS else run.figures.get(name)
        return (True, 0.0) if value is None else (False, sign * value)

    return sorted(runs, key=place)


def _higher_is_better(name: str) -> bool:
    """As the metric says; of losses and of counts the lowest comes first."""
    label = name.partition("_")[2]
    if name in COUNTS or label == "loss":
        return False
    from declnet.core.registry import metrics  # imports NumPy, which nothing else here needs

    metric = metrics.get(label.partition("(")[0])
    # Of a metric that does not say, or whose plug-in is not there any more: most are shares of what is right.
    return metric is None or metric.higher_is_better is not False
