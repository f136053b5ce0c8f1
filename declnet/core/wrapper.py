"""Nodes and wrappers: how components are put together. Wrappers dissolve when a plan is made."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import ClassVar, Protocol, TypeAlias

from pydantic_core import CoreSchema, core_schema

from declnet.core.component import Component, Loss, Module, arity
from declnet.core.initializer import Initialization
from declnet.errors import Path
from declnet.records import record

Refs: TypeAlias = tuple[str, ...] | Mapping[str, str] | None
"""The values that are read, by name: in their order, by argument, or left out."""


@record
class Value:
    """A value in the graph, by its index."""

    index: int


Flow: TypeAlias = tuple[Value | None, ...]
"""What goes on to the next node: values, None for each that a mistake left unknown."""


@record
class Output:
    """What a node gives: the values that flow on, and those that have names of their own below the node's.

    `flow` is None where nothing flows on: what only holds lets the values before it pass.
    """

    flow: Flow | None
    items: Mapping[str, Flow] = field(default_factory=dict)


def below(name: str, output: Output) -> dict[str, Flow]:
    """What an item gives, under its name, and what has names below it under dotted ones."""
    items = {f"{name}.{item}": flow for item, flow in output.items.items()}
    return items if output.flow is None else {name: output.flow, **items}


UNKNOWN = Output((None,))
"""The output of what is wrong and has been reported."""


@record
class Node:
    """One entry of a list of nodes: a component, what it is called and what it reads, or another use of one.

    `component` is None where `use` names it, or where the config's entry was wrong and has been reported: its
    output is unknown, and the rest of the graph can still be checked.
    """

    component: Module | Wrapper | None
    path: Path
    name: str | None = None
    inputs: Refs = None
    calls: Mapping[str, Refs] | None = None
    """Several calls with the same weights: the name of each output, and what is read for it."""
    repeat: int | None = None
    """So many in a row, each with weights of its own."""
    init: Mapping[str, Initialization] = field(default_factory=dict)
    """First values, by the names of parameters below the node, or patterns of them."""
    freeze: bool | None = None
    """Whether the parameters stay as they are; left out, as what is around it says."""
    use: str | None = None
    """The name of an earlier component, called again with the same weights."""

    @property
    def takes(self) -> Sequence[str] | None:
        """The inputs of the component by name; None where it is unknown."""
        if self.component is None:
            return None
        return self.component.takes if isinstance(self.component, Wrapper) else arity(type(self.component)).names

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> CoreSchema:
        """Pydantic takes nodes as they are: whoever reads the config has made and checked them."""
        return core_schema.is_instance_schema(cls)


@record
class Term:
    """One term of the loss: what it reads, and what it is multiplied with."""

    loss: Loss
    path: Path
    inputs: Refs = None
    scale: float = 1.0

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> CoreSchema:
        """As a node's."""
        return core_schema.is_instance_schema(cls)


@record
class Place:
    """Where a node is called: the name of the call, and the prefix of its weights, the same in every use."""

    name: str
    owner: str

    def child(self, name: str) -> Place:
        """The place of a node within this one."""
        return Place(join(self.name, name), join(self.owner, name))


def join(*names: str) -> str:
    """`encoder` and `0` are `encoder.0`; empty names leave no dot."""
    return ".".join(filter(None, names))


class Tracer(Protocol):
    """What a wrapper sees of the graph while it is traced."""

    def chain(self, nodes: Sequence[Node], place: Place, inputs: Flow) -> Output:
        """Call the nodes in order inside a scope of their own, where `input` is the block's input."""

    def call(self, node: Node, place: Place, inputs: Flow) -> Output:
        """Call one node on these values."""

    def parameter(self, module: Module, place: Place, *field: str | int) -> Value | None:
        """The output of a module without inputs, a parameter as a value; `field` is where the wrapper has it."""

    def hold(self, node: Node, place: Place) -> Output:
        """Make a node known, to be called by its name; what it gives without being called are parameters."""


class Wrapper(Component, ABC):
    """A component made of nodes. It has no arrays and no step of its own."""

    children: ClassVar[str]
    """The field that holds the nodes, as messages name it."""

    @property
    def takes(self) -> tuple[str, ...]:
        """The names of its inputs; none where it is not called itself."""
        return ("input",)

    @abstractmethod
    def trace(self, tracer: Tracer, place: Place, inputs: Flow) -> Output:
        """Call the nodes through the tracer; a ShapeError where the number of inputs is wrong."""


Block: TypeAlias = Module | Wrapper
"""What a node may hold."""
