"""The network as a graph for other programs to draw: Mermaid's flowchart, and Graphviz's dot.

Nodes have numbers for ids, so no name can be taken for a word of the language; names are only in labels.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar, final

from declnet.runner.outline import Entry, Outline

INDENT = "  "


def mermaid(network: Outline) -> str:
    """As a flowchart of Mermaid, which GitHub shows in Markdown. Reference: https://mermaid.js.org/syntax/flowchart"""
    return "\n".join(["flowchart TD", *_Mermaid(network).body()])


def dot(network: Outline) -> str:
    """As a graph of Graphviz. Reference: https://graphviz.org/doc/info/lang.html"""
    body = ["node [shape=box];", *_Dot(network).body()]
    return "\n".join(["digraph {", *(INDENT + line for line in body), "}"])


def remarks(entry: Entry, *, within: bool) -> Iterator[str]:
    """What its config says of a node, beside its component; `within` one whose weights are another's, which is
    said there.
    """
    if entry.repeat is not None:
        yield f"{entry.repeat} in a row"
    if entry.scale not in (None, 1):
        yield f"scale {entry.scale}"
    if entry.weights_of is not None and not within:
        yield f"weights of {entry.weights_of}"


class _Picture(ABC):
    """Walks the network once: first all nodes, blocks within blocks, then the arrows between them."""

    def __init__(self, network: Outline) -> None:
        self._network = network
        self._ids: dict[int, str] = {}
        """The node that gives each value."""
        self._arrows: list[tuple[int, str]] = []
        self._count = 0

    def body(self) -> Iterator[str]:
        """The lines between the first and the last."""
        network = self._network
        for name, value in network.inputs.items():
            self._ids[value] = self._id()
            yield self.node(self._ids[value], [name], round=True)
        for entry in (*network.model, *network.loss):
            yield from self._entry(entry)
        for value in network.outputs:
            output = self._id()
            yield self.node(output, ["output"], round=True)
            self._arrows.append((value, output))
        for value, target in self._arrows:
            yield self.arrow(self._ids[value], target, str(network.specs[value]))

    def _id(self) -> str:
        self._count += 1
        return f"n{self._count}"

    def _entry(self, entry: Entry, *, within: bool = False) -> Iterator[str]:
        """A component, or a block."""
        title = [f"{entry.name}: {entry.type}", *remarks(entry, within=within)]
        if entry.inputs is not None and entry.values is not None:
            own = self._id()
            self._ids[entry.values[0]] = own
            self._arrows += [(value, own) for value in entry.inputs]
            yield self.node(own, title, round=False)
            return
        within = within or entry.weights_of is not None
        inner = [line for held in entry.entries for line in self._entry(held, within=within)]
        if inner:  # what nothing is called in cannot be drawn
            yield from self.block(self._id(), title, [INDENT + line for line in inner])

    @abstractmethod
    def node(self, own: str, label: Sequence[str], *, round: bool) -> str:
        """A node; round ones are what goes in and out."""

    @abstractmethod
    def block(self, own: str, label: Sequence[str], inner: Sequence[str]) -> Iterator[str]:
        """A frame round nodes."""

    @abstractmethod
    def arrow(self, source: str, target: str, label: str) -> str:
        """From one node to another."""


@final
class _Mermaid(_Picture):
    unsafe: ClassVar[re.Pattern[str]] = re.compile(r"[^\w .,:()\[\]=-]|^-(?= )|^\d(?=\d*[.)] )")
    """What a label between quotes could be ended by, or be read as Markdown, HTML or a code."""

    def node(self, own: str, label: Sequence[str], *, round: bool) -> str:
        opening, closing = ("([", "])") if round else ("[", "]")
        return f"{own}{opening}{self._quoted(label)}{closing}"

    def block(self, own: str, label: Sequence[str], inner: Sequence[str]) -> Iterator[str]:
        yield f"subgraph {own} [{self._quoted(label)}]"
        yield from inner
        yield "end"

    def arrow(self, source: str, target: str, label: str) -> str:
        return f"{source} -->|{self._quoted([label])}| {target}"

    def _quoted(self, lines: Sequence[str]) -> str:
        return f'"{"<br>".join(self.unsafe.sub(lambda m: f"#{ord(m[0])};", line) for line in lines)}"'


@final
class _Dot(_Picture):
    def node(self, own: str, label: Sequence[str], *, round: bool) -> str:
        return f"{own} [label={self._quoted(label)}{', shape=oval' if round else ''}];"

    def block(self, own: str, label: Sequence[str], inner: Sequence[str]) -> Iterator[str]:
        yield f"subgraph cluster_{own} {{"
        yield f"{INDENT}label={self._quoted(label)};"
        yield from inner
        yield "}"

    def arrow(self, source: str, target: str, label: str) -> str:
        return f"{source} -> {target} [label={self._quoted([label])}];"

    def _quoted(self, lines: Sequence[str]) -> str:
        escaped = (line.replace("&", "&amp;").replace("\\", r"\\").replace('"', r"\"") for line in lines)
        text = r"\n".join(escaped)
        return f'"{text}"'
