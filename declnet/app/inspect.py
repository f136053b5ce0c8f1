"""`declnet inspect`: the network as a tree with shapes and figures, as JSON, or as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from declnet.app import warn
from declnet.app.output import count, print_json, size, write
from declnet.app.pictures import dot, mermaid, remarks
from declnet.app.tree import Branch, tree
from declnet.app.validate import LEARNED, batch, shared
from declnet.config.dump import dump
from declnet.core.spec import Spec
from declnet.core.suggest import some
from declnet.core.wrapper import Refs
from declnet.runner.experiment import Experiment, load
from declnet.runner.outline import Cost, Entry, Outline, arguments, outline


def inspect(path: Path, overrides: Sequence[str], *, strict: bool, form: str) -> None:
    """Print the network in the form that is wanted."""
    experiment = load(path, overrides, strict=strict)
    warn(experiment.warnings)
    network = outline(experiment)
    if form == "json":
        print_json({"config": str(path)} | _report(experiment, network))
    elif form == "text":
        tree(list(_tree(path, experiment, network)))
    else:
        write((mermaid if form == "mermaid" else dot)(network))


def _tree(path: Path, experiment: Experiment, network: Outline) -> Iterator[Branch]:
    config, memory = experiment.config, network.figures.memory
    yield Branch(str(path), f": {config.name}, one batch of {batch(experiment)}, {config.dtype}")
    fields = [
        Branch(
            name,
            f": {network.specs[value]}{_origin(experiment, name)}",
            _cost(Cost(activations=network.figures.data[name])),
        )
        for name, value in network.inputs.items()
    ]
    yield Branch("data", branches=fields)
    yield Branch("model", details=_cost(network.cost), branches=[_branch(e, network) for e in network.model])
    yield Branch("loss", branches=[_branch(entry, network) for entry in network.loss])
    outputs = [Branch(network.names[value], f": {network.specs[value]}") for value in network.outputs]
    yield Branch("output", branches=outputs)
    parts = [Branch(name.replace("_", " "), f": {size(nbytes)}") for name, nbytes in asdict(memory).items()]
    yield Branch("memory", f": {size(memory.total)}, data aside", f"{LEARNED}\n{shared(network.figures)}", parts)


def _origin(experiment: Experiment, name: str) -> str:
    """The columns and the transforms that make a field of them, where there are some."""
    field = (experiment.inputs | experiment.targets)[name]
    made = [f"{item.type}{_arguments(arguments(item))}" for item in field.transforms]
    return f", of {some(field.columns)}: {', '.join(made)}" if made else ""


def _arguments(stated: Mapping[str, object]) -> str:
    return f"({', '.join(f'{name}: {in_yaml(value)}' for name, value in stated.items())})" if stated else ""


def _branch(entry: Entry, network: Outline, *, within: bool = False) -> Branch:
    """One node; `within` one whose weights are another's, which is said there."""
    text = f": {entry.type}{_arguments(entry.arguments)}"
    text += "".join(f", {remark}" for remark in _remarks(entry, within=within))
    if entry.values is not None:
        text += f" -> {', '.join(str(network.specs[value]) for value in entry.values)}"
    within = within or entry.weights_of is not None
    branches = [_branch(inner, network, within=within) for inner in entry.entries]
    return Branch(entry.name, text, _cost(entry.cost), branches)


def _remarks(entry: Entry, *, within: bool) -> Iterator[str]:
    yield from remarks(entry, within=within)
    if entry.values is None:
        yield "only holds" if entry.entries else "held"
    if reads := _reads(entry.reads):
        yield f"reads {reads}"


def _reads(refs: Refs) -> str:
    if isinstance(refs, Mapping):
        return ", ".join(f"{argument}: {ref}" for argument, ref in refs.items())
    return ", ".join(refs or ())


def _cost(cost: Cost) -> str:
    """The figures that are not 0."""
    some = "" if cost.frozen == cost.parameters else f"{count(cost.frozen)} "
    frozen = f" ({some}frozen)" if cost.frozen else ""
    parts = [
        cost.parameters and f"{count(cost.parameters)} parameter{'s' * (cost.parameters > 1)}{frozen}",
        cost.flops and f"{count(cost.flops)} FLOPs",
        cost.learned and f"{size(cost.learned)} learned",
        cost.activations and f"{size(cost.activations)} activations",
    ]
    return ", ".join(str(part) for part in parts if part)


def in_yaml(value: object) -> str:
    """A value on one line, as a config has it."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {in_yaml(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(in_yaml, value))}]"
    return dump({"k": value})[len("k: ") :].rstrip("\n")


def _report(experiment: Experiment, network: Outline) -> dict[str, object]:
    config, found = experiment.config, network.figures
    return {
        "name": config.name,
        "dtype": config.dtype,
        "batch_size": experiment.batch,
        "data": [
            {"name": name, "output": plain_spec(network.specs[value]), "activations": found.data[name]}
            | _made_of(experiment, name)
            for name, value in network.inputs.items()
        ],
        "model": [_entry(entry, network) for entry in network.model],
        "loss": [_entry(entry, network) for entry in network.loss],
        "outputs": [{"name": network.names[v], "output": plain_spec(network.specs[v])} for v in network.outputs],
        "total": asdict(network.cost),
        "memory": asdict(found.memory) | {"total": found.memory.total},
    }


def _made_of(experiment: Experiment, name: str) -> dict[str, object]:
    """The columns of a data field, and its transforms as a config has them."""
    field = (experiment.inputs | experiment.targets)[name]
    stated = [(item.type, arguments(item)) for item in field.transforms]
    return {
        "columns": list(field.columns),
        "transforms": [{"type": kind} | own if own else kind for kind, own in stated],
    }


def _entry(entry: Entry, network: Outline) -> dict[str, object]:
    """A node with all there is to say of it."""
    more = {"weights_of": entry.weights_of, "repeat": entry.repeat, "scale": entry.scale}
    return {
        "name": entry.name,
        "type": entry.type,
        "arguments": entry.arguments,
        "reads": entry.reads,
        "outputs": None if entry.values is None else [plain_spec(network.specs[value]) for value in entry.values],
        **asdict(entry.cost),
        **{key: value for key, value in more.items() if value is not None},
        **({"nodes": [_entry(inner, network) for inner in entry.entries]} if entry.entries else {}),
    }


def plain_spec(spec: Spec) -> dict[str, object]:
    """A shape and its kind of number, for programs."""
    return {"shape": list(spec.shape), "kind": spec.kind}
