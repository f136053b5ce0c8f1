"""The graph a config describes: values, calls of components on them, parameters and loss terms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from declnet.core.component import Buffer, Module, Parameter
from declnet.core.spec import Spec
from declnet.core.wrapper import Node, Refs, join
from declnet.errors import Path, Severity, ShapeError


@dataclass(frozen=True, slots=True)
class Call:
    """One component applied to some values. Two calls with one `owner` share its parameters and buffers."""

    name: str
    path: Path
    component: Module
    owner: str
    inputs: tuple[int, ...]
    output: int


@dataclass(slots=True)
class Visit:
    """A node as tracing met it: `name` is what this call of it is called, `owner` the prefix of its weights.

    `call` is the call of a module, `values` what flows on; both are None where a node is only held, and `values`
    also where it only holds. A node with several calls, and one that is repeated, has them as its `visits`.
    """

    name: str
    owner: str
    node: Node
    reads: Refs = None
    call: Call | None = None
    values: tuple[int, ...] | None = None
    visits: list[Visit] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with the graph, at a key path of the config."""

    message: str
    path: Path
    severity: Severity = "error"


@dataclass(slots=True)
class Graph:
    """What tracing found out, before any array exists.

    `specs[i]` and `origins[i]` describe value i; `inputs` the values that data are put into. Parameters and
    buffers carry their full names (`encoder.0.weight`), in PyTorch's order; `frozen` are the parameters that stay
    as they are. `outputs` are the values the model ends in, None for an unknown one; `unused` the paths of
    components that are never called; `visits` the model's nodes, nested as the config nests them.
    """

    specs: list[Spec] = field(default_factory=list)
    origins: list[str] = field(default_factory=list)
    inputs: dict[str, int] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    parameters: dict[str, Parameter] = field(default_factory=dict)
    buffers: dict[str, Buffer] = field(default_factory=dict)
    frozen: set[str] = field(default_factory=set)
    outputs: list[int | None] = field(default_factory=list)
    unused: list[Path] = field(default_factory=list)
    terms: list[tuple[int, float]] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def output(self) -> int | None:
        """The value the model ends in, where it is one and known."""
        return self.outputs[0] if len(self.outputs) == 1 else None

    def value(self, spec: Spec, origin: str) -> int:
        """Add a value."""
        self.specs.append(spec)
        self.origins.append(origin)
        return len(self.specs) - 1

    def inputs_of(self, call: Call) -> list[Spec]:
        """The specs of a call's inputs."""
        return [self.specs[value] for value in call.inputs]

    def source(self, error: ShapeError, values: Sequence[int]) -> str:
        """Where the input comes from that a component refuses, for a message."""
        return "" if error.argument is None else f" (from {self.origins[values[error.argument]]})"

    def untrainable(self) -> Iterator[Problem]:
        """What only training refuses: statistics of a single number."""
        for call in self.calls:
            try:
                call.component.scratch(*self.inputs_of(call), training=True)
            except ShapeError as error:
                yield Problem(f"{error.message}{self.source(error, call.inputs)}", call.path)

    def flops(self, call: Call) -> int:
        """Floating-point operations of one forward pass of a call."""
        return call.component.flops(*self.inputs_of(call))

    def parameters_of(self, call: Call) -> dict[str, Parameter]:
        """The parameters of a call's component, by local name."""
        return call.component.parameters(*self.inputs_of(call))

    def needed(self, *, training: bool) -> list[Call]:
        """The calls that the loss, and in evaluation the outputs, depend on, in order."""
        wanted = {value for value, _ in self.terms} | self.kept(training=training)
        calls = []
        for call in reversed(self.calls):
            if call.output in wanted:
                wanted.update(call.inputs)
                calls.append(call)
        return calls[::-1]

    def kept(self, *, training: bool) -> set[int]:
        """The values that are read after the step: the outputs, in evaluation."""
        return set() if training else {value for value in self.outputs if value is not None}

    def trained(self) -> list[str]:
        """Names of the parameters that the loss depends on: those an optimizer changes."""
        names: dict[str, None] = {}
        for call in self.needed(training=True):
            for local in self.parameters_of(call):
                names.setdefault(join(call.owner, local))
        return [name for name in self.parameters if name in names and name not in self.frozen]
