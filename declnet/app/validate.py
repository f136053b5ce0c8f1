"""`declnet validate`: check configs, show the network in figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from declnet.app import failed
from declnet.app.output import count, print_json, size, table
from declnet.errors import DeclnetError
from declnet.runner.experiment import Experiment, load
from declnet.runner.figures import Figures, figures


def validate(paths: Sequence[Path], *, as_json: bool) -> int:
    """Check each file; the exit code of the first one that is wrong, 0 where none is."""
    code = 0
    reports = []
    for path in paths:
        try:
            experiment = load(path)
        except DeclnetError as error:
            exit_code = failed(error)
            code = code or exit_code
            continue
        found = figures(experiment)
        if as_json:
            reports.append(_report(path, experiment, found))
        else:
            _show(path, experiment, found)
    if as_json:
        print_json(reports)
    return code


def _show(path: Path, experiment: Experiment, found: Figures) -> None:
    loop = experiment.config.loop
    rows = [
        (node.name, node.type, str(node.output), count(node.parameters), count(node.flops)) for node in found.nodes
    ]
    rows.append(("total", "", "", count(found.parameters), count(found.flops)))
    title = f"{path}: valid. One batch of {loop.batch_size} rows, {experiment.config.dtype}"
    table(title, ("node", "type", "output", "parameters", "FLOPs"), rows, left=(0, 1, 2))
    memory = asdict(found.memory) | {"total": found.memory.total}
    table("Memory, data aside", ("what for", "size"), [(name, size(nbytes)) for name, nbytes in memory.items()])


def _report(path: Path, experiment: Experiment, found: Figures) -> dict[str, object]:
    return {
        "config": str(path),
        "name": experiment.config.name,
        "dtype": experiment.config.dtype,
        "batch_size": experiment.config.loop.batch_size,
        "nodes": [
            {
                "node": node.name,
                "type": node.type,
                "output": {"shape": list(node.output.shape), "kind": node.output.kind},
                "parameters": node.parameters,
                "flops": node.flops,
            }
            for node in found.nodes
        ],
        "parameters": found.parameters,
        "flops": found.flops,
        "memory": {**asdict(found.memory), "total": found.memory.total},
    }
