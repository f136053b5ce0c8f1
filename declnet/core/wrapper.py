"""Nodes and wrappers: how components are put together. Wrappers dissolve when a plan is made."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeAlias

from pydantic_core import CoreSchema, core_schema

from declnet.core.component import Component, Module
from declnet.errors import Path


@dataclass(frozen=True, slots=True)
class Value:
    """A value in the graph, by its index."""

    index: int


@dataclass(frozen=True, slots=True)
class Node:
    """One entry of a list of nodes: a component, what it is called and what it reads.

    `component` is None where the config's entry was wrong and has been reported: its output is unknown,
    and the rest of the graph can still be checked.
    """

    component: Module | Wrapper | None
    path: Path
    name: str | None = None
    inputs: tuple[str, ...] | Mapping[str, str] | None = None

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> CoreSchema:
        """Pydantic takes nodes as they are: whoever reads the config has made and checked them."""
        return core_schema.is_instance_schema(cls)


class Tracer(Protocol):
    """What a wrapper sees of the graph while it is traced. Names are parameter prefixes: `encoder.0`."""

    def chain(self, nodes: Sequence[Node], prefix: str, inputs: Sequence[Value | None]) -> Value | None:
        """Call the nodes in order inside a scope of their own, where `input` is the block's input."""

    def call(self, node: Node, prefix: str, inputs: Sequence[Value | None]) -> Value | None:
        """Call one node on these values."""


class Wrapper(Component, ABC):
    """A component made of nodes. It has no arrays and no step of its own."""

    children: ClassVar[str]
    """The field that holds the nodes, as messages name it."""

    @abstractmethod
    def trace(self, tracer: Tracer, prefix: str, inputs: Sequence[Value | None]) -> Value | None:
        """Call the nodes through the tracer and return the output, None where it is unknown."""


Block: TypeAlias = Module | Wrapper
"""What a node may hold."""
