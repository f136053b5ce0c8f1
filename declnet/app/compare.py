"""`declnet compare`: what is different about runs, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from declnet.app.output import print_json, table, write
from declnet.app.runs import cell, date, described, epochs, figure_names, label, optional
from declnet.config.dump import written
from declnet.errors import ConfigError, dotted
from declnet.runner.differences import ABSENT, Difference, config, differences, find
from declnet.runner.past import Run, read


def compare(names: Sequence[str], *, as_json: bool) -> None:
    """Print where the configs differ, and the figures side by side."""
    paths = _paths(names)
    runs = [read(path) for path in paths]
    found = differences([config(path) for path in paths])
    if as_json:
        changes = [{"path": dotted(item.path), "values": _values(item, paths)} for item in found]
        print_json({"runs": [described(run) for run in runs], "differences": changes})
        return
    labels = [label(path) for path in paths]
    if len(set(labels)) < len(labels):
        labels = [str(path) for path in paths]
    if found:
        rows = [(written(dotted(item.path)), *map(_shown, item.values)) for item in found]
        title = f"the configs differ in {len(found)} place{'s' * (len(found) > 1)}"
        table(title, ("", *labels), rows, left=range(len(labels) + 1))
    else:
        write("the configs are identical")
    write()
    table("figures", ("", *labels), [row for row in _figures(runs) if any(row[1:])])


def _paths(names: Sequence[str]) -> list[Path]:
    paths = [find(name) for name in names]
    for number, path in enumerate(paths):
        if any(path.samefile(other) for other in paths[:number]):
            raise ConfigError(f"{names[number]}: this run is named twice")
    if len(paths) < 2:
        raise ConfigError("compare takes two runs or more; declnet runs shows what there is")
    return paths


def _shown(value: object) -> str:
    """A value as the config has it."""
    return "(absent)" if value is ABSENT else written(value)


def _values(item: Difference, paths: Sequence[Path]) -> dict[str, object]:
    """The values by run, but for runs that have none."""
    return {str(path): value for path, value in zip(paths, item.values, strict=True) if value is not ABSENT}


def _figures(runs: Sequence[Run]) -> Iterator[tuple[str, ...]]:
    yield "started", *map(date, runs)
    yield "state", *(run.state for run in runs)
    yield "epochs", *map(epochs, runs)
    yield "best epoch", *(optional(run.best_epoch) for run in runs)
    for name in figure_names(runs):
        yield name, *(cell(run.figures, name) for run in runs)
    yield "parameters", *(optional(run.parameters) for run in runs)
    yield "seconds", *("" if run.seconds is None else str(run.seconds) for run in runs)
