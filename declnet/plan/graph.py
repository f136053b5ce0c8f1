"""The graph a config describes: values, calls of components on them, parameters and loss terms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from declnet.core.component import Buffer, Module, Parameter
from declnet.core.spec import Spec
from declnet.core.wrapper import Node, Refs, join
from declnet.errors import Path, Severity, ShapeError
from declnet.records import record


@record
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


@record
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
    components that are never called; `measures` the output and the target that each metric compares; `visits` the
    model's nodes, nested as the config nests them.
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
    measures: list[tuple[int, int]] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def output(self) -> int | None:
        """The value the model ends in, where it is one and known."""
        return self.outputs[0] if len(self.outputs) == 1 else None

    @property
    def kept(self) -> list[int]:
        """The values that are read after a step of evaluation: the outputs, and what metrics compare."""
        outputs = [value for value in self.outputs if value is not None]
        return list(dict.fromkeys([*outputs, *(value for pair in self.measures for value in pair)]))

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

    def producer(self, value: int) -> Call | None:
        """The call that computes a value, behind what only reshapes it."""
        producers = {call.output: call for call in self.calls}
        call = producers.get(value)
        while call is not None and call.component.alias(training=False) == "reshape":
            call = producers.get(call.inputs[0])
        return call

    def field_of(self, value: int, *, reshaped: bool = True) -> str | None:
        """The data field whose numbers a value holds, also `reshaped`; None where it is computed."""
        producers = {call.output: call for call in self.calls}
        while reshaped and value in producers and producers[value].component.alias(training=False) == "reshape":
            value = producers[value].inputs[0]
        return next((name for name, own in self.inputs.items() if own == value), None)

    def probabilities(self, value: int) -> bool:
        """Whether a value holds probabilities: Sigmoid or Softmax made it, or BCELoss reads it, which takes no
        other numbers.
        """
        call = self.producer(value)
        made = call is not None and call.component.type in ("Sigmoid", "Softmax")
        return made or any(c.component.type == "BCELoss" and c.inputs[0] == value for c in self.calls)

    def unfit(self, *, training: bool) -> Iterator[Problem]:
        """What does not depend on shapes alone but on the mode: statistics of a single number."""
        for call in self.calls:
            try:
                call.component.scratch(*self.inputs_of(call), training=training)
            except ShapeError as error:
                yield Problem(f"{error.message}{self.source(error, call.inputs)}", call.path)

    def flops(self, call: Call) -> int:
        """Floating-point operations of one forward pass of a call."""
        return call.component.flops(*self.inputs_of(call))

    @property
    def largest(self) -> int:
        """Those of the largest single matrix product."""
        return max(call.component.product(*self.inputs_of(call)) for call in self.calls)

    def parameters_of(self, call: Call) -> dict[str, Parameter]:
        """The parameters of a call's component, by local name."""
        return call.component.parameters(*self.inputs_of(call))

    def needed(self, *, training: bool) -> list[Call]:
        """The calls that the loss depends on, and in evaluation what is kept, in order."""
        wanted = {value for value, _ in self.terms}
        if not training:
            wanted.update(self.kept)
        calls = []
        for call in reversed(self.calls):
            if call.output in wanted:
                wanted.update(call.inputs)
                calls.append(call)
        return calls[::-1]

    def trained(self) -> list[str]:
        """Names of the parameters that the loss depends on: those an optimizer changes."""
        names: dict[str, None] = {}
        for call in self.needed(training=True):
            for local in self.parameters_of(call):
                names.setdefault(join(call.owner, local))
        return [name for name in self.parameters if name in names and name not in self.frozen]
