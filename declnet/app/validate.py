"""`declnet validate`: check configs, show the network in figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from declnet.app import failed, warn
from declnet.app.output import count, paragraph, print_json, size, table, write
from declnet.errors import ConfigError, DeclnetError, Diagnostic, Mark, Origin, dotted
from declnet.runner.experiment import Experiment, load
from declnet.runner.figures import Figures, figures
from declnet.runner.scheduling import rates

LEARNED = "Learned: parameters, gradients, optimizer state and the best epoch's copy."


def validate(arguments: Sequence[str], *, strict: bool, form: str) -> int:
    """Check each file; the exit code of the first one that is wrong, 0 where none is."""
    overrides = [argument for argument in arguments if "=" in argument and not _is_there(argument)]
    paths = [Path(argument) for argument in arguments if argument not in overrides]
    if not paths:
        raise ConfigError("no file is named; KEY=VALUE settings change what is in one")
    code = 0
    reports = []
    for path in paths:
        try:
            experiment = load(path, overrides, strict=strict)
        except DeclnetError as error:
            exit_code = failed(error)
            code = code or exit_code
            diagnostics, network = error.diagnostics, None
        else:
            warn(experiment.warnings)
            diagnostics, network = experiment.warnings, figures(experiment)
            if form != "json":
                _show(path, experiment, network)
        if form == "github":
            for item in diagnostics:
                write(_command(item))
        head = {"config": str(path), "valid": network is not None, "diagnostics": list(map(_plain, diagnostics))}
        reports.append(head if network is None else head | _report(experiment, network))
    if form == "json":
        print_json(reports)
    return code


def _plain(item: Diagnostic) -> dict[str, object]:
    """A diagnostic for programs."""
    origin = None if item.mark is None else item.mark.origin
    return {
        "severity": item.severity,
        "place": _point(item.mark),
        "path": dotted(item.path),
        "message": item.message,
        "origin": None if origin is None else {"path": dotted(origin.path), **(_point(origin) or {})},
    }


def _point(place: Mark | Origin | None) -> dict[str, object] | None:
    """A place for programs."""
    return None if place is None else {key: getattr(place, key) for key in ("file", "line", "column")}


def _command(item: Diagnostic) -> str:
    """A diagnostic as GitHub's workflow command, which shows it at the line of a pull request.

    What could end it, or begin another one, is escaped: the text is the file's.

    Reference: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
    """
    mark, place = item.mark, ""
    if mark is not None and not mark.file.startswith("<"):  # the command line is no file
        file = _escaped(mark.file).replace(":", "%3A").replace(",", "%2C")
        place = f" file={file},line={mark.line},col={mark.column}"
    return f"::{item.severity}{place}::{_escaped(item.text)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _is_there(path: str) -> bool:
    """Whether a file of this name exists; a setting may be longer than any name."""
    try:
        return Path(path).exists()
    except OSError:
        return False


def _show(path: Path, experiment: Experiment, found: Figures) -> None:
    rows = [
        (
            node.name,
            node.type,
            str(node.output),
            count(node.parameters),
            count(node.flops),
            size(node.learned),
            size(node.activations),
        )
        for node in found.nodes
    ]
    rows.append(
        ("total", "", "", count(found.parameters), count(found.flops), size(found.learned), size(found.activations))
    )
    title = f"{path}: valid. One batch of {batch(experiment)}, {experiment.config.dtype}"
    table(title, ("node", "type", "output", "parameters", "FLOPs", "learned", "activations"), rows, left=(0, 1, 2))
    memory = asdict(found.memory) | {"total": found.memory.total}
    parts = [(name.replace("_", " "), size(nbytes)) for name, nbytes in memory.items()]
    table("Memory, data aside", ("what for", "size"), parts)
    paragraph(f"{LEARNED} {shared(found)}")
    if experiment.taken is not None:
        from declnet.app.taken import taken_lines

        for line in taken_lines(experiment.taken):
            write(line)
    if (lr := rates(experiment.config)) is not None:
        last = f"{lr[1]:.4g} in the last of {count(experiment.config.loop.epochs or 1)}"
        write(f"lr: {lr[0]:.4g} in the first epoch, {last}")


def batch(experiment: Experiment) -> str:
    """The size of the batch that the figures are for."""
    example = "" if experiment.batch == experiment.config.loop.batch_size else ", as an example of all"
    return f"{experiment.batch} rows{example}"


def shared(found: Figures) -> str:
    """Why the activations of the nodes do not add up to what is allocated for them."""
    nodes, batch = size(found.activations), size(sum(found.data.values()))
    arena = size(found.memory.activations)
    return f"Activations share memory: {arena} hold the nodes' {nodes} and the batch's {batch}."


def _report(experiment: Experiment, found: Figures) -> dict[str, object]:
    lr = rates(experiment.config)
    return {
        "name": experiment.config.name,
        "dtype": experiment.config.dtype,
        "batch_size": experiment.batch,
        "nodes": [
            {
                "node": node.name,
                "type": node.type,
                "output": {"shape": list(node.output.shape), "kind": node.output.kind},
                "parameters": node.parameters,
                "flops": node.flops,
                "learned": node.learned,
                "activations": node.activations,
            }
            for node in found.nodes
        ],
        "parameters": found.parameters,
        "flops": found.flops,
        "batch": found.data,
        "init": None if experiment.taken is None else experiment.taken.plain,
        "lr": None if lr is None else {"first": lr[0], "last": lr[1]},
        "memory": {**asdict(found.memory), "total": found.memory.total},
    }
