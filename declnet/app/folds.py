"""What came of a cross-validation: each fold, the mean, the standard deviation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from declnet.app.matrix import show_matrix
from declnet.app.output import count, figure, table, write


def show(
    summary: Mapping[str, Any], matrices: Mapping[str, tuple[str, str]], classes: Mapping[str, Sequence[str]]
) -> None:
    """Print the figures of the test rows, fold by fold and of all together, and those of the validation rows on
    average; `matrices` are the axes of figures that are such, and `classes` the names of their classes.
    """
    folds, pooled = summary["folds"], summary["pooled"]["test"]
    names = [name for name in pooled if name not in matrices]

    def row(label: str, figures: Mapping[str, float | None]) -> tuple[str, ...]:
        return (label, *(figure(figures[name]) for name in names))

    rows = [row(f"fold {fold['fold']}", fold["test"]) for fold in folds]
    for part, words in (("test", ""), ("val", "val ")):
        if part in summary["mean"]:
            rows += [row(f"{words}mean", summary["mean"][part]), row(f"{words}std", summary["std"][part])]
        if part == "test":
            rows.append(row("all rows", pooled))
    table(f"{summary['name']}: {len(folds)} folds, each tested on its own rows", ("", *names), rows)
    for name, axes in matrices.items():
        show_matrix(f"{name} of all rows", axes, pooled[name], "in summary.json", classes.get(name, ()))
    parameters, seconds = count(summary["parameters"]), summary["seconds"]
    write(f"{parameters} parameters, {seconds} s, written to {summary['run_dir']}")
