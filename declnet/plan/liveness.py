"""Liveness: when each buffer of a step holds something anybody still needs, and so who may share memory.

Time runs over one training step: call i runs forward at i and backward at 2F - i, for F calls; data are
there from -1 on, and the loss is read at F.
"""

from __future__ import annotations

import functools
from bisect import insort
from collections import Counter
from dataclasses import dataclass, field

from declnet.core.component import Alias, Scratch, arity
from declnet.core.spec import DType, Spec
from declnet.core.wrapper import join
from declnet.plan.graph import Call, Graph
from declnet.plan.store import ALIGNMENT

Key = tuple[str | int, ...]
"""`("value", v)`, `("grad", v)`, `("scratch", call, name)`, `("extra", call, slot)`, `("weight", call, name)`;
the last two hold gradients that are added to others.
"""

Span = tuple[int, int]


@dataclass(slots=True)
class Block:
    """One stretch of the arena: how large, when in use, and where."""

    nbytes: int
    spans: list[Span] = field(default_factory=list)
    offset: int = -1

    @property
    def times(self) -> int:
        """When it is in use, a bit for each time: two blocks are in use together where the bits of both are set."""
        return functools.reduce(lambda bits, span: bits | (2 << span[1] + 1) - (1 << span[0] + 1), self.spans, 0)


@dataclass(slots=True)
class Layout:
    """Where everything in a step lives. `graph.calls[calls[i]]` has the steps at times i and 2F - i."""

    graph: Graph
    calls: list[Call]
    training: bool
    specs: dict[Key, Spec]
    offsets: dict[Key, int]
    blocks: dict[Key, int]
    """The bytes of each stretch of memory, under the key whose memory it is; what shares it is not here."""
    nbytes: int
    """The arena: less than all blocks together, which are not all in use at once."""
    gradients: set[int]
    """The values whose gradients are computed."""


def lay_out(graph: Graph, *, training: bool, dtype: DType) -> Layout:
    """Find the lifetimes and pack them. Allocates nothing."""
    live = _Lifetimes(graph, graph.needed(training=training), training)
    live.values()
    if training:
        live.gradients()
    live.scratch()
    blocks: dict[Key, Block] = {}
    for key, spec in live.specs.items():
        root = live.root(key)
        block = blocks.setdefault(root, Block(-(-spec.nbytes(dtype) // ALIGNMENT) * ALIGNMENT))
        block.spans += live.spans[key]
    nbytes = pack(list(blocks.values()))
    offsets = {key: blocks[live.root(key)].offset for key in live.specs}
    sizes = {key: block.nbytes for key, block in blocks.items()}
    return Layout(graph, live.calls, training, live.specs, offsets, sizes, nbytes, live.wanted)


def pack(blocks: list[Block]) -> int:
    """Give every block an offset, the largest first, each as low as it fits; returns the bytes in all."""
    placed: list[tuple[int, int, int]] = []  # offset, end, and the times in use as bits
    total = 0
    for block in sorted(blocks, key=lambda b: -b.nbytes):
        low, times = 0, block.times
        for offset, end, others in placed:  # in the order of their offsets
            if offset >= low + block.nbytes:
                break
            if end > low and times & others:
                low = end
        block.offset = low
        insort(placed, (low, low + block.nbytes, times), key=lambda p: p[0])
        total = max(total, low + block.nbytes)
    return total


class _Lifetimes:
    """Collects specs, spans and shared memory of every key."""

    def __init__(self, graph: Graph, calls: list[Call], training: bool) -> None:
        self.graph, self.calls, self.training = graph, calls, training
        self.specs: dict[Key, Spec] = {}
        self.spans: dict[Key, list[Span]] = {}
        self._shared: dict[Key, Key] = {}
        self.readers = Counter(value for call in calls for value in call.inputs)
        self.producer = {call.output: i for i, call in enumerate(calls)}
        self.wanted = self._wanted() if training else set()
        self._kept = [] if training else graph.kept

    def root(self, key: Key) -> Key:
        """The key whose memory this one uses."""
        while key in self._shared:
            key = self._shared[key]
        return key

    def backward(self, index: int) -> int:
        """When call `index` runs backward."""
        return 2 * len(self.calls) - index

    def saves(self, call: Call) -> tuple[str, ...]:
        """What a call's backward reads; nothing where it has none."""
        return call.component.saves if call.output in self.wanted else ()

    def alias(self, call: Call) -> Alias:
        """How a call's output relates to its input, where the first input allows it to be written over."""
        alias = self._alias(call)
        if alias != "in_place":
            return alias
        saved = arity(type(call.component)).names[0] in self.saves(call)
        return "new" if saved or not self._free(call.inputs[0]) else "in_place"

    def _alias(self, call: Call) -> Alias:
        """What the component says; an output that is not as large as its input has memory of its own."""
        alias = call.component.alias(training=self.training)
        if alias != "in_place":
            return alias
        return "in_place" if self.graph.specs[call.inputs[0]] == self.graph.specs[call.output] else "new"

    def _free(self, value: int) -> bool:
        """Whether nobody but its one reader needs what a value's memory holds."""
        index = self.producer.get(value)
        if index is None or self.readers[value] > 1 or value in self._kept:
            return False  # data are never free: a closure may run the step on them again
        producer = self.calls[index].component
        if producer.alias(training=self.training) == "reshape":
            return self._free(self.calls[index].inputs[0])
        return "output" not in self.saves(self.calls[index])

    def _wanted(self) -> set[int]:
        """The values that a gradient has to reach: those that depend on a trained parameter."""
        trained = set(self.graph.trained())
        wanted: set[int] = set()
        for call in self.calls:
            local = self.graph.parameters_of(call)
            if any(join(call.owner, name) in trained for name in local) or wanted.intersection(call.inputs):
                wanted.add(call.output)
        return wanted

    def values(self) -> None:
        """Values live from where they are made to where they are last read, forward or backward."""
        used = {value for call in self.calls for value in call.inputs} | {value for value, _ in self.graph.terms}
        end = 2 * len(self.calls) + 1
        for value in self.graph.inputs.values():
            if value in used or value in self._kept:
                self._span(("value", value), self.graph.specs[value], -1, end)
        for index, call in enumerate(self.calls):
            alias = self.alias(call)
            key: Key = ("value", call.output)
            self._span(key, self.graph.specs[call.output], index, index)
            if alias != "new":
                self._shared[key] = ("value", call.inputs[0])
            names = arity(type(call.component)).names
            saves = self.saves(call)
            for position, value in enumerate(call.inputs):
                name = names[min(position, len(names) - 1)]
                self._extend(("value", value), self.backward(index) if name in saves else index)
            if "output" in saves:
                self._extend(key, self.backward(index))
        for value in [value for value, _ in self.graph.terms] + self._kept:
            self._extend(("value", value), end)

    def gradients(self) -> None:
        """A gradient lives from the backward step of its value's last reader to that of its producer."""
        terms = {value for value, _ in self.graph.terms}
        for index in reversed(range(len(self.calls))):
            call = self.calls[index]
            if call.output not in self.wanted:
                continue
            time = self.backward(index)
            if call.output not in terms:  # a loss's gradient is a constant
                self._span(("grad", call.output), self.graph.specs[call.output], time, time)
            for slot, value in enumerate(call.inputs):
                if value not in self.wanted:
                    continue
                key: Key = ("grad", value)
                if key in self.specs:
                    self._extend(key, time)
                    self._span(("extra", index, slot), self.graph.specs[value], time, time)
                    continue
                self._span(key, self.graph.specs[value], time, time)
                if slot == 0 and self._alias(call) != "new" and self.readers[value] == 1:
                    self._shared[key] = ("grad", call.output)
        owners = Counter(call.owner for call in self.calls)
        seen: set[str] = set()
        for index in reversed(range(len(self.calls))):
            call = self.calls[index]
            if owners[call.owner] > 1 and call.owner in seen:
                for name, parameter in self.graph.parameters_of(call).items():
                    time = self.backward(index)
                    self._span(("weight", index, name), Spec(parameter.shape), time, time)
            seen.add(call.owner)

    def scratch(self) -> None:
        """Scratch lives through its step, or from forward to backward where it is saved."""
        for index, call in enumerate(self.calls):
            if call.component.alias(training=self.training) == "reshape":
                continue
            wanted: dict[str, Scratch] = call.component.scratch(*self.graph.inputs_of(call), training=self.training)
            for name, scratch in wanted.items():
                key: Key = ("scratch", index, name)
                self._span(key, Spec(scratch.shape, scratch.kind), index, index)
                if call.output in self.wanted and scratch.saved:
                    self._extend(key, self.backward(index))
                elif call.output in self.wanted:
                    self.spans[key].append((self.backward(index), self.backward(index)))

    def _span(self, key: Key, spec: Spec, start: int, end: int) -> None:
        if key in self.specs:
            self._extend(key, end)
            return
        self.specs[key] = spec
        self.spans[key] = [(start, end)]

    def _extend(self, key: Key, time: int) -> None:
        start, end = self.spans[key][0]
        self.spans[key][0] = (min(start, time), max(end, time))
