"""The network as its config nests it, with what is known of each node: for whoever shows it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel

from declnet.config.dump import written
from declnet.core.component import Component, Loss
from declnet.core.spec import Spec
from declnet.core.wrapper import Refs, Wrapper, join
from declnet.plan.graph import Call, Graph, Visit
from declnet.records import record
from declnet.runner.experiment import Experiment
from declnet.runner.figures import Figures, NodeFigures, figures


@record
class Cost:
    """The figures of a node: its own, or the sum of all that is in it."""

    parameters: int = 0
    frozen: int = 0
    """How many of the parameters stay as they are."""
    flops: int = 0
    learned: int = 0
    activations: int = 0

    def __add__(self, other: Cost) -> Cost:
        """Of both together."""
        return Cost(
            self.parameters + other.parameters,
            self.frozen + other.frozen,
            self.flops + other.flops,
            self.learned + other.learned,
            self.activations + other.activations,
        )


@record
class Entry:
    """A node, a term of the loss, or several calls that are one node of the config.

    `name` is what it is called in its list; `values` are the numbers of what it gives (None where it only holds,
    or is held), `inputs` those of what a component itself reads.
    """

    name: str
    type: str
    arguments: Mapping[str, object]
    reads: Refs
    values: tuple[int, ...] | None
    cost: Cost
    inputs: tuple[int, ...] | None = None
    weights_of: str | None = None
    """The component whose weights these are, where that stands elsewhere."""
    repeat: int | None = None
    scale: float | None = None
    """What a term of the loss is multiplied with."""
    entries: tuple[Entry, ...] = ()


@record
class Outline:
    """A whole network. `specs` and `names` describe the values by their numbers."""

    inputs: Mapping[str, int]
    model: tuple[Entry, ...]
    loss: tuple[Entry, ...]
    outputs: tuple[int, ...]
    specs: Sequence[Spec]
    names: Mapping[int, str]
    figures: Figures
    cost: Cost


def outline(experiment: Experiment) -> Outline:
    """Put together what tracing met and what it costs, for the configured batch size."""
    graph = experiment.graph(experiment.batch)
    found = figures(experiment)
    maker = _Maker(graph, {call.output: node for call, node in zip(graph.calls, found.nodes, strict=True)})
    model = tuple(maker.entries(graph.visits))
    loss = tuple(maker.terms())
    outputs = tuple(value for value in graph.outputs if value is not None)
    cost = sum((entry.cost for entry in (*model, *loss)), Cost())
    return Outline(graph.inputs, model, loss, outputs, graph.specs, maker.names, found, cost)


@dataclass(slots=True)
class _Maker:
    graph: Graph
    nodes: Mapping[int, NodeFigures]
    """The figures of each call, by its output."""
    names: dict[int, str] = field(default_factory=dict)
    _met: set[str] = field(default_factory=set)
    """The prefixes of the weights that have been met, and of what has them."""

    def __post_init__(self) -> None:
        self.names.update({value: name for name, value in self.graph.inputs.items()})

    def entries(self, visits: Sequence[Visit], above: Visit | None = None, scope: str = "") -> Iterator[Entry]:
        """The nodes of a list; `scope` is what their names are read under from outside."""
        for visit in visits:
            yield self._entry(visit, visit.name[len(above.name) + 1 :] if above else visit.name, scope)

    def _entry(self, visit: Visit, name: str, scope: str) -> Entry:
        shared = visit.owner in self._met and (visit.call is None or bool(self.graph.parameters_of(visit.call)))
        component = visit.node.component if visit.call is None else visit.call.component
        if component is None:
            raise AssertionError("a config that was checked has no unknown component")
        several = any(inner.node is visit.node for inner in visit.visits)  # their names stand beside the node's
        entries = tuple(self.entries(visit.visits, visit, scope if several else join(scope, name)))
        cost = sum((entry.cost for entry in entries), Cost()) if visit.call is None else self._cost(visit.call)
        self._name(visit, join(scope, name))
        self._met.add(visit.owner)
        return Entry(
            name=name,
            type=component.type,
            arguments=arguments(component),
            reads=visit.reads,
            values=visit.values,
            cost=cost,
            inputs=None if visit.call is None else visit.call.inputs,
            weights_of=visit.owner if shared else None,
            repeat=visit.node.repeat,
            entries=entries,
        )

    def _name(self, visit: Visit, name: str) -> None:
        """A value is called like the outermost node that makes it and gives nothing else."""
        made = {call.output for call in self._calls(visit)}
        if visit.values is not None and len(visit.values) == 1 and visit.values[0] in made:
            self.names[visit.values[0]] = name

    def _calls(self, visit: Visit) -> Iterator[Call]:
        if visit.call is not None:
            yield visit.call
        for inner in visit.visits:
            yield from self._calls(inner)

    def _cost(self, call: Call) -> Cost:
        """What one call costs; nothing for weights that were counted before."""
        node = self.nodes[call.output]
        names = self.graph.parameters_of(call) if node.parameters else ()
        frozen = any(join(call.owner, name) in self.graph.frozen for name in names)
        return Cost(node.parameters, node.parameters if frozen else 0, node.flops, node.learned, node.activations)

    def terms(self) -> Iterator[Entry]:
        """The terms of the loss, with what they read."""
        calls = {call.output: call for call in self.graph.calls if isinstance(call.component, Loss)}
        for value, scale in self.graph.terms:
            call = calls[value]
            self.names[value] = call.name
            yield Entry(
                name=call.name,
                type=call.component.type,
                arguments=arguments(call.component),
                reads=tuple(self.names[read] for read in call.inputs),
                values=(value,),
                cost=self._cost(call),
                inputs=call.inputs,
                scale=scale,
            )


def arguments(component: Component) -> dict[str, object]:
    """The arguments that are not left at their defaults, as plain data; the nodes of a wrapper are none."""
    left_out = {"type", component.children} if isinstance(component, Wrapper) else {"type"}
    return {name: value for name, value in _stated(component).items() if name not in left_out}


def _stated(model: BaseModel) -> dict[str, object]:
    """The fields that say something."""
    stated = {}
    for name, item in type(model).model_fields.items():
        value = getattr(model, name)
        if item.is_required() or value != item.get_default(call_default_factory=True):
            stated[name] = _plain(value)
    return stated


def _plain(value: object) -> object:
    """Mappings, lists and scalars; a component that says nothing is its name."""
    if isinstance(value, Component):
        stated = _stated(value)
        return {"type": value.type} | stated if stated else value.type
    if isinstance(value, BaseModel):
        return _stated(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return written(value)
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value
