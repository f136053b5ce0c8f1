"""What can be read at a place in a list of nodes, and what to say of a name that cannot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from declnet.core.suggest import did_you_mean, some
from declnet.core.wrapper import Flow, Node, Output, Refs, Value
from declnet.errors import Path, dotted

Report = Callable[[str, Path], None]
"""Takes a mistake and where it is."""


@dataclass(slots=True)
class Scope:
    """The names of one list of nodes: `inputs` are there from the start, nodes' names come as they are traced.

    `owner` is the prefix of the components here, `flow` what a node reads that names nothing. Names of several
    values stand for all of them, those that only hold for none (None).
    """

    owner: str
    inputs: Mapping[str, Flow]
    flow: Flow
    outer: Sequence[Scope] = ()
    targets: Sequence[str] = ()
    names: dict[str, Flow | None] = field(default_factory=dict)
    later: dict[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Start with the inputs."""
        self.names.update(self.inputs)

    def expect(self, nodes: Sequence[Node]) -> None:
        """Note what will be defined, and where."""
        for index, node in enumerate(nodes):
            self.later[node.name or str(index)] = node.path
            self.later.update({name: (*node.path, "calls", name) for name in node.calls or ()})

    def add(self, name: str, output: Output) -> None:
        """Make an output known under its name, and what is below it under dotted ones."""
        self.names[name] = output.flow
        self.later.pop(name, None)
        for item, flow in output.items.items():
            self.names[f"{name}.{item}"] = flow

    def taken(self, name: str) -> str | None:
        """What a name stands for already, if that is no node here."""
        return "an input" if name in self.inputs else "a target" if name in self.targets else None

    def readable(self) -> list[str]:
        """The names that stand for values."""
        return [name for name, flow in self.names.items() if flow is not None]

    def read(self, refs: Refs, takes: Sequence[str] | None, problem: Report, path: Path) -> Flow:
        """The values that are named, None for each that cannot be found; what flows where none are. `takes` are
        the names of the inputs, None where they are unknown.
        """
        if refs is None:
            return self.flow
        wanted: list[tuple[str | int, str]] = list(refs.items() if isinstance(refs, Mapping) else enumerate(refs))
        found: dict[str | int, Flow] = {}
        for key, ref in wanted:
            flow = self.names.get(ref)
            if flow is None and not self.unknown(ref):
                problem(self.explain(ref), (*path, key))
            found[key] = (None,) if flow is None else flow
        if not isinstance(refs, Mapping):
            return tuple(value for flow in found.values() for value in flow)
        for key, ref in wanted:
            if len(found[key]) != 1:
                problem(f"{ref!r} is {len(found[key])} values, and {key!r} takes one", (*path, key))
                found[key] = (None,)
        if takes is None:
            return tuple(flow[0] for flow in found.values())
        if set(refs) != set(takes):
            problem(f"inputs are {', '.join(takes)}; got {', '.join(refs)}", path)
            return (None,) * len(takes)
        return tuple(found[name][0] for name in takes)

    def arguments(
        self, names: Sequence[str], refs: Refs, target: Flow | None, problem: Report, *, kind: str, path: Path
    ) -> Flow | None:
        """The values of the arguments of a loss, of this type at this path: what it names, the rest is what flows,
        and the target. None where that was refused.
        """
        if isinstance(refs, tuple):
            return self.read(refs, names, problem, (*path, "inputs"))
        given = refs or {}
        if unknown := [name for name in given if name not in names]:
            problem(f"inputs are {', '.join(names)}; got {', '.join(given)}", (*path, "inputs", unknown[0]))
            return None
        outputs = [name for name in names if name != "target"]
        found: dict[str, Value | None] = {}
        if len(self.flow) == len(outputs):
            # Values that are called like the arguments are meant by name, in whatever order.
            named = {name: flow[0] for name, flow in self.names.items() if flow and flow[0] in self.flow}
            by_name = set(outputs) <= named.keys() - self.inputs.keys()
            found.update({n: named[n] for n in outputs} if by_name else zip(outputs, self.flow, strict=True))
        if target and "target" in names:
            found["target"] = target[0]
        if given:
            found.update(zip(given, self.read(given, list(given), problem, (*path, "inputs")), strict=True))
        missing = [name for name in names if name not in found]
        if missing == ["target"]:
            problem(f"{kind} needs a target; declare data.targets", path)
            return None
        if missing:
            what = f"{kind} takes {len(names)} inputs: {', '.join(names)}"
            ends = f"the model ends in {len(self.flow)} value{'s' * (len(self.flow) != 1)}"
            problem(f"{what}; {ends}, so name them with 'inputs'", path)
            return None
        return tuple(found[name] for name in names)

    def unknown(self, ref: str) -> bool:
        """Whether a name is below that of a component that was wrong, which has been said."""
        parts = ref.split(".")
        return any(self.names.get(".".join(parts[:end])) == (None,) for end in range(1, len(parts)))

    def explain(self, ref: str) -> str:
        """Why a name cannot be read here."""
        if ref in self.names:
            below = [name for name in self.readable() if name.startswith(f"{ref}.")]
            items = f"; name one of its values: {some(below)}" if below else ": call what it holds with 'use'"
            return f"{ref!r} only holds{items}"
        if ref in self.targets:
            return f"{ref!r} is a target, which only the loss reads"
        if ref in self.later:
            return f"{ref!r} comes later, at {dotted(self.later[ref])}; only what is before can be read"
        if any(ref in scope.names for scope in self.outer):
            return (
                f"{ref!r} is outside the block, which sees only its own names: {some(self.readable())}; "
                "'input' is what the block reads"
            )
        near = did_you_mean(ref, self.readable())
        return f"nothing before it is called {ref!r}{near or f'; there is {some(self.readable())}'}"
