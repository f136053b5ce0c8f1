"""A proposal as a config: YAML with comments that say why, and what else there is."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import wrap

from declnet.config.dump import written
from declnet.data.files import printable
from declnet.errors import ConfigError
from declnet.runner.proposal import Field, Proposal
from declnet.runner.starter import put

WIDTH = 110
"""Characters of a line, where its words allow it."""

BESIDE = 42
"""Characters before a comment that stands beside something."""


def write(proposal: Proposal, path: Path, *, force: bool = False) -> None:
    """Write the config, in which the data's path starts at its own folder.

    Raises:
        ConfigError: there is such a file already, which only `force` writes over, or the path is no text.
        MachineError: the machine refused to write it.
    """
    data = proposal.guess.path
    # Through links, or `..` would lead elsewhere; but the file keeps its own name.
    there, here = os.path.realpath(data.parent), os.path.realpath(path.parent)
    leads = os.path.relpath(Path(there, data.name), here)
    if any("\ud800" <= char <= "\udfff" for char in leads):  # bytes that Python could not read
        raise ConfigError(f"{printable(leads)}: a config is UTF-8, and cannot hold this path")
    put(path, text(proposal, path.name, path.stem, leads), force=force)


def text(proposal: Proposal, file: str, run: str, path: str) -> str:
    """The config: `file` is what it is called, `run` its run, and `path` leads from it to the data."""
    parts = (
        _header(proposal, file, run),
        [_beside("seed: 0", "everything random follows from it: the same seed, the same network")],
        _vars(path),
        [*_data(proposal)],
        [*_model(proposal)],
        [*_training(proposal)],
        [*_loop(proposal)],
    )
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _header(proposal: Proposal, file: str, run: str) -> list[str]:
    guess, learned = proposal.guess, printable(proposal.target.all[0])
    what = "tells" if proposal.classes else "predicts"
    validate, train = f"declnet validate {file}", f"declnet train {file}"
    width = len(validate) + 4
    return [
        f"# A network that {what} {learned} by the other columns of {printable(guess.path.name)}.",
        "#",
        f"#   {validate.ljust(width)}what is in it: shapes, parameters, memory; or what is wrong with it",
        f"#   {train.ljust(width)}trains it, and writes runs/{run}-1",
        "#",
        f"# What its {len(guess.columns)} columns hold was guessed from all of its {guess.rows:,} rows.",
        "# Where a guess is wrong, change what follows from it.",
    ]


def _vars(path: str) -> list[str]:
    return [
        "vars:",
        "  # Relative to this file. For another file with these columns: declnet train ... vars.path=FILE",
        f"  path: {_flow(path)}",
    ]


def _data(proposal: Proposal) -> Iterator[str]:
    guess, training = proposal.guess, proposal.training
    yield "data:"
    more: dict[str, object] = {} if guess.delimiter == "," else {"delimiter": guess.delimiter}
    if proposal.missing:
        yield "  # missing: cells that stand for a missing value."
        more["missing"] = proposal.missing
    settings = "".join(f", {key}: {_flow(value)}" for key, value in more.items())
    yield f'  source: {{type: CSV, path: "${{vars.path}}"{settings}}}'
    yield _beside("  inputs:", "fields that the network reads, each made of columns, step by step")
    for field in proposal.inputs:
        yield from _field(field)
    if proposal.left:
        yield "    # Left out:"
    for column, instead in proposal.left:
        yield from _comment("    # - ", f"{printable(column.name)}: {column.kind}, {column.why}.")
        yield from _comment("    #   ", instead)
    yield "  targets:"
    yield from _field(proposal.target)
    if training.folds:
        yield "  # The rows that test are those of each fold in turn; of the others val chooses the best epoch."
    else:
        yield "  # val chooses the best epoch, test is looked at once, at the end."
    shares: dict[str, object] = {"val": 0.1} if training.folds else {"train": 0.7, "val": 0.15, "test": 0.15}
    if proposal.classes:
        yield "  # stratified: every part has its share of each class."
        shares["method"] = "stratified"
    yield f"  split: {_flow(shares)}"


def _field(field: Field) -> Iterator[str]:
    """A field, below the reason as a comment."""
    for line in field.why:
        yield from _comment("    # ", line)
    parts = {"columns": field.columns, "transforms": field.transforms}
    line = f"    {field.name}: {_flow(parts)}"
    if len(line) <= WIDTH:
        yield line
        return
    yield f"    {field.name}:"
    yield from _wrapped("      columns:", field.columns)
    line = f"      transforms: {_flow(field.transforms)}"
    if len(line) <= WIDTH:
        yield line
        return
    yield "      transforms:"
    for step in field.transforms:
        yield from _wrapped("        -", step)


def _model(proposal: Proposal) -> Iterator[str]:
    yield _beside("model:", "a list: each component reads what the one before it gives")
    names = []
    for field in proposal.inputs:
        names.append(field.vector if field.categories else field.name)
        if field.categories:
            yield f"  # A vector that is learned for each category of {field.name}."
            node = {"type": "Embedding", "name": field.vector, "inputs": field.name}
            yield f"  - {_flow(node | {'num_embeddings': field.categories, 'embedding_dim': field.size})}"
    if len(names) > 1:
        yield "  # The fields side by side."
        yield from _wrapped("  -", {"type": "Concat", "dim": 1, "inputs": names})
    hidden = f"  - {{type: Linear, out_features: {proposal.training.hidden}}}"
    yield _beside(hidden, "in_features is inferred: as many as there are inputs")
    yield "  - ReLU"
    yield _beside(hidden, "wider or more layers learn more, and overfit sooner")
    yield "  - ReLU"
    last = f"  - {{type: Linear, out_features: {len(proposal.classes) or 1}}}"
    outputs = {0: "the number that is learned", 2: "one output a class, of two classes too"}
    yield _beside(last, outputs.get(len(proposal.classes), "one output a class"))


def _training(proposal: Proposal) -> Iterator[str]:
    if proposal.classes:
        yield _beside("loss: CrossEntropyLoss", "takes the outputs as they are: no Softmax before it")
    else:
        yield _beside("loss: MSELoss", "HuberLoss where a few targets are far from all others")
    lr = "lr first: ten times less where the loss jumps, more if it creeps"
    yield _beside("optimizer: {type: AdamW, lr: 3e-3}", lr)
    yield "# lr is halved where more than so many epochs in a row bring nothing."
    yield f"scheduler: {{type: ReduceLROnPlateau, factor: 0.5, patience: {proposal.training.halve}}}"


def _loop(proposal: Proposal) -> Iterator[str]:
    training = proposal.training
    yield "loop:"
    if training.folds:
        yield _beside(f"  folds: {training.folds}", "so many trainings; each row is tested by the one without it")
    yield _beside(f"  epochs: {training.epochs}", "passes over the training rows, at most")
    yield f"  batch_size: {training.batch_size}"
    patience = f"  early_stopping: {{patience: {training.patience}}}"
    yield _beside(patience, "end where so many epochs in a row bring nothing")
    if proposal.classes:
        yield "  metrics: [accuracy, {type: f1, average: macro}]"
        yield _beside("  # class_weights: balanced", "where rare classes matter as much as others")
    else:
        yield _beside("  metrics: [rmse, r2]", "in the target's units; r2: 1 is perfect, 0 as good as the mean")


def _beside(code: str, comment: str) -> str:
    """A line with a comment beside it."""
    return f"{code.ljust(BESIDE - 1)} # {comment}"


def _comment(head: str, words: str) -> list[str]:
    """A comment on as many lines as it needs."""
    return wrap(words, WIDTH, initial_indent=head, subsequent_indent="    #   ", break_on_hyphens=False)


def _wrapped(head: str, value: object) -> Iterator[str]:
    """A value behind its key, on as many lines as it needs."""
    line, indent = head, " " * (len(head) - len(head.lstrip()) + 2)
    for piece in _pieces(value):
        if line != head and len(line) + 1 + len(piece) > WIDTH:
            yield line
            line = indent + piece
        else:
            line = f"{line} {piece}"
    yield line


def _flow(value: object) -> str:
    """A value on one line."""
    return " ".join(_pieces(value))


def _pieces(value: object) -> list[str]:
    """A value in pieces between which a line may end."""
    if isinstance(value, Mapping):
        parts = [(f"{key}: {first}", *rest) for key, item in value.items() for first, *rest in [_pieces(item)]]
        return _between("{", parts, "}")
    if isinstance(value, Sequence) and not isinstance(value, str):
        return _between("[", [*map(_pieces, value)], "]")
    # A text that means itself where references are replaced.
    return [written(value.replace("${", "$${") if isinstance(value, str) else value, flow=True)]


def _between(start: str, parts: Sequence[Sequence[str]], end: str) -> list[str]:
    """Parts with commas after all but the last, in brackets."""
    pieces = [piece for part in parts[:-1] for piece in (*part[:-1], f"{part[-1]},")] + [*parts[-1]]
    pieces[0] = start + pieces[0]
    pieces[-1] += end
    return pieces
