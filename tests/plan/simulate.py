"""Runs a layout without numbers: every byte of the arena remembers what was written there last, and every
read has to find what it came for. Nothing is taken from liveness but the offsets and who is added to whom.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from declnet.core.component import arity
from declnet.core.spec import DType
from declnet.plan.graph import Call
from declnet.plan.liveness import Key, Layout

Tag = tuple[object, ...]
"""What memory holds: `("value", v)`, `("grad", v, readers so far)`, `("scratch", call, name)`, ..."""


class Simulation:
    """One step of a layout; `run` raises where something was lost."""

    def __init__(self, layout: Layout, dtype: DType) -> None:
        self.layout, self.dtype = layout, dtype
        self.memory = np.full(layout.nbytes, -1)
        self.tags: dict[Tag, int] = {}
        self.held: dict[int, Tag] = {}
        self.learning = self._learning()
        self.sources = Counter(v for call in layout.calls if call.output in self.learning for v in call.inputs)
        self.arrived: Counter[int] = Counter()

    def _learning(self) -> set[int]:
        """Values that a parameter has a part in."""
        found: set[int] = set()
        for call in self.layout.calls:
            if self.layout.graph.parameters_of(call) or found & set(call.inputs):
                found.add(call.output)
        return found

    def at(self, key: Key) -> slice:
        """The bytes of a key."""
        offset = self.layout.offsets[key]
        assert offset % 64 == 0, f"{key} is not aligned"
        end = offset + self.layout.specs[key].nbytes(self.dtype)
        assert end <= self.layout.nbytes, f"{key} ends behind the arena"
        return slice(offset, end)

    def write(self, key: Key, tag: Tag) -> None:
        """Write, whatever was there."""
        self.memory[self.at(key)] = self.tags.setdefault(tag, len(self.tags))

    def read(self, key: Key, tag: Tag) -> None:
        """Find what was written."""
        assert (self.memory[self.at(key)] == self.tags[tag]).all(), f"{tag} was written over in {key}"

    def value(self, value: int) -> None:
        """Read a value."""
        self.read(("value", value), self.held[value])

    def run(self) -> None:
        """Forward, the loss, backward; in the end data, terms and the kept outputs are still there."""
        layout, graph = self.layout, self.layout.graph
        kept = [] if layout.training else graph.kept
        lasting = {v for call in layout.calls for v in call.inputs} | set(kept)
        lasting &= set(graph.inputs.values())
        for value in lasting:
            self.held[value] = ("value", value)
            self.write(("value", value), self.held[value])
        for index, call in enumerate(layout.calls):
            self.forward(index, call)
        if layout.training:
            for index in reversed(range(len(layout.calls))):
                if layout.calls[index].output in self.learning:
                    self.backward(index, layout.calls[index])
        for value in [*lasting, *kept, *(value for value, _ in graph.terms)]:
            self.value(value)

    def scratch(self, index: int, call: Call, *, saved: bool | None = None) -> Iterable[tuple[Key, Tag]]:
        """The work space of a call: all of it, or what is saved, or what is not."""
        component, specs = call.component, self.layout.graph.inputs_of(call)
        for name, item in component.scratch(*specs, training=self.layout.training).items():
            if saved in (None, item.saved):
                yield ("scratch", index, name), ("scratch", index, name)

    def forward(self, index: int, call: Call) -> None:
        """Inputs outlive the output's first byte, unless the component itself asked for their place."""
        offsets, alias = self.layout.offsets, call.component.alias(training=self.layout.training)
        key: Key = ("value", call.output)
        if alias == "reshape":
            assert offsets[key] == offsets["value", call.inputs[0]]
            self.held[call.output] = self.held[call.inputs[0]]
            self.value(call.output)
            return
        for work, tag in self.scratch(index, call):
            self.write(work, tag)
        self.inputs(call, range(len(call.inputs)))
        self.held[call.output] = key
        self.write(key, key)
        same = alias == "in_place" and offsets[key] == offsets["value", call.inputs[0]]
        self.inputs(call, range(int(same), len(call.inputs)))
        for work, tag in self.scratch(index, call):
            self.read(work, tag)

    def inputs(self, call: Call, slots: Iterable[int]) -> None:
        """Read inputs."""
        for slot in slots:
            self.value(call.inputs[slot])

    def backward(self, index: int, call: Call) -> None:
        """Everything saved is there before and after the gradients are written; then the additions."""
        specs = self.layout.specs
        upstream: Key = ("grad", call.output)
        whole: Tag = (*upstream, self.sources[call.output])
        has_upstream = call.output not in {value for value, _ in self.layout.graph.terms}
        targets: list[tuple[Key, Tag]] = []
        for slot, value in enumerate(call.inputs):
            if value in self.learning:
                extra: Key = ("extra", index, slot)
                self.arrived[value] += 1
                direct = extra not in specs
                assert direct == (self.arrived[value] == 1), "the first gradient is written, the others are added"
                targets.append((("grad", value), ("grad", value, 1)) if direct else (extra, extra))
        weights = [(key, key) for key in specs if key[:2] == ("weight", index)]
        if has_upstream:
            self.read(upstream, whole)
        for work, tag in self.scratch(index, call, saved=False):
            self.write(work, tag)
        self.saved(index, call)
        for key, tag in targets + weights:
            self.write(key, tag)
        moved = call.component.alias(training=True) != "new" and call.inputs[0] in self.learning
        if has_upstream and not (moved and self.layout.offsets[targets[0][0]] == self.layout.offsets[upstream]):
            self.read(upstream, whole)
        self.saved(index, call)
        for key, tag in targets + weights + [*self.scratch(index, call, saved=False)]:
            self.read(key, tag)
        self.add(index, call)

    def saved(self, index: int, call: Call) -> None:
        """Read what backward needs of forward."""
        if call.component.alias(training=True) == "reshape":
            return
        names = arity(type(call.component)).names
        for slot, value in enumerate(call.inputs):
            if names[min(slot, len(names) - 1)] in call.component.saves:
                self.value(value)
        if "output" in call.component.saves:
            self.value(call.output)
        for work, tag in self.scratch(index, call, saved=True):
            self.read(work, tag)

    def add(self, index: int, call: Call) -> None:
        """The gradients that come after the first of their value are added to it."""
        before = Counter(value for value in call.inputs if value in self.learning)
        for slot, value in enumerate(call.inputs):
            extra: Key = ("extra", index, slot)
            if value in self.learning:
                done = self.arrived[value] - before[value] + 1
                before[value] -= 1
                if extra in self.layout.specs:
                    self.read(extra, extra)
                    self.read(("grad", value), ("grad", value, done - 1))
                self.write(("grad", value), ("grad", value, done))
