"""`declnet evaluate`: the figures of a run on its own rows, or on those of another file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from declnet.app.matrix import show_matrix
from declnet.app.output import count, figure, print_json, table
from declnet.runner.evaluate import Part
from declnet.runner.evaluate import evaluate as run
from declnet.runner.measure import for_json
from declnet.runner.trained import Trained, Which


def evaluate(
    path: Path, overrides: Sequence[str], data: Path | None, part: Part | None, which: Which, *, as_json: bool
) -> None:
    """Evaluate, and print the figures."""
    trained = Trained(path, which)
    found = run(trained, overrides, data, part)
    if as_json:
        source = None if data is None else str(data)
        head = {"run_dir": str(path), "checkpoint": which, "epoch": trained.epoch, "data": source}
        classes = {"classes": found.names} if found.names else {}
        print_json(head | {"split": found.part, "rows": found.rows, "figures": for_json(found.figures)} | classes)
        return
    figures = for_json(found.figures)
    numbers = {name: figure(value) for name, value in figures.items() if not isinstance(value, list)}
    title = f"{path}: {which} checkpoint, epoch {trained.epoch}"
    what = found.part if data is None else str(data)
    table(title, ("", "rows", *numbers), [(what, count(found.rows), *numbers.values())])
    for name, axes in found.matrices.items():
        if isinstance(counts := figures[name], list):
            show_matrix(f"{what} {name}", axes, counts, "shown with --json", found.names.get(name, ()))
