"""A plan: two flat lists of functions without arguments, bound to one arena and one store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from declnet.core.component import Action, Loss, Site
from declnet.core.spec import Array, numpy_dtype
from declnet.core.wrapper import join
from declnet.errors import DataError, RowError, dotted
from declnet.plan.graph import Call
from declnet.plan.liveness import Key, Layout
from declnet.plan.store import Store, aligned
from declnet.records import record


class Arena:
    """The memory that plans share: they never run at the same time, so it is as large as the largest."""

    def __init__(self, nbytes: int) -> None:
        """Allocate."""
        self.memory = aligned(nbytes)


@record
class Part:
    """The steps of one call, and what they write; those of no call add the terms of the loss up."""

    call: Call | None
    output: Array
    forward: list[Action]
    backward: list[Action]


@dataclass(slots=True)
class Plan:
    """The steps of one batch size in one mode. `inputs` are the buffers that data are put into; `loss` can be
    read after a run, and in evaluation `outputs`, what the model ends in, and `measured`, the output and the target
    that each metric compares (training lends their memory to others, and gives none). `parts` say whose they are.
    """

    inputs: dict[str, Array]
    outputs: tuple[Array, ...]
    loss: Array
    measured: list[tuple[Array, Array]] = field(default_factory=list)
    forward: list[Action] = field(default_factory=list)
    backward: list[Action] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)

    @property
    def output(self) -> Array:
        """What the model ends in, where it is one value that can be read; else empty."""
        return self.outputs[0] if len(self.outputs) == 1 else np.empty(0, self.loss.dtype)

    def run(self) -> float:
        """Forward, then, in a training plan, backward; the gradients are left in the store."""
        for step in self.forward:
            step()
        for step in self.backward:
            step()
        return float(self.loss)


def bind(layout: Layout, store: Store, arena: Arena, rng: np.random.Generator) -> Plan:
    """Make the views and the steps of a layout."""
    return _Binder(layout, store, arena, rng).plan()


class _Binder:
    def __init__(self, layout: Layout, store: Store, arena: Arena, rng: np.random.Generator) -> None:
        self.layout, self.store, self.rng = layout, store, rng
        self.graph = layout.graph
        self._memory = arena.memory
        self._scratch: dict[int, list[str]] = {index: [] for index in range(len(layout.calls))}
        for key in layout.specs:
            if key[0] == "scratch":
                self._scratch[int(key[1])].append(str(key[2]))
        self._scales = {value: np.array(scale, store.dtype) for value, scale in self.graph.terms}

    def array(self, key: Key) -> Array:
        """The view of the arena that a key stands for."""
        spec, start = self.layout.specs[key], self.layout.offsets[key]
        dtype = numpy_dtype(spec.kind, self.store.dtype)
        return self._memory[start : start + spec.size * dtype.itemsize].view(dtype).reshape(spec.shape)

    def plan(self) -> Plan:
        """Bind forward in order and backward in reverse."""
        graph, layout = self.graph, self.layout
        inputs = {n: self.array(("value", v)) for n, v in graph.inputs.items() if ("value", v) in layout.specs}
        ends = () if layout.training else graph.outputs
        outputs = tuple(self.array(("value", value)) for value in ends if value is not None)
        measures = () if layout.training else graph.measures
        measured = [(self.array(("value", output)), self.array(("value", target))) for output, target in measures]
        plan = Plan(inputs, outputs, np.zeros((), self.store.dtype), measured)
        for index in reversed(range(len(layout.calls))):  # the order in which gradients are first written
            call = layout.calls[index]
            plan.parts.insert(0, Part(call, self.array(("value", call.output)), *self._call(index, call)))
        self._loss(plan)
        plan.forward = [step for part in plan.parts for step in part.forward]
        plan.backward = [step for part in reversed(plan.parts) for step in part.backward]
        return plan

    def _loss(self, plan: Plan) -> None:
        """The sum of the scaled terms."""
        terms = [(self.array(("value", value)), scale) for value, scale in self.graph.terms]
        if len(terms) == 1 and terms[0][1] == 1:
            plan.loss = terms[0][0]
            return
        total = plan.loss

        def add() -> None:
            total[...] = 0
            for term, scale in terms:
                total[...] += term * scale

        plan.parts.append(Part(None, total, [add], []))

    def _call(self, index: int, call: Call) -> tuple[list[Action], list[Action]]:
        layout = self.layout
        training = layout.training and call.output in layout.gradients
        alias = call.component.alias(training=layout.training)
        slots, additions = self._gradients(index, call) if training else ((None,) * len(call.inputs), [])
        if alias == "reshape":
            return [], self._reshaped(call, slots[0], additions) if training else []
        local = self.graph.parameters_of(call)
        grads: dict[str, Array | None] = {}
        if training:
            for name in local:
                grads[name], more = self._weight(index, call, name)
                additions += more
        names = call.component.buffers(*self.graph.inputs_of(call))
        site = Site(
            inputs=tuple(self.array(("value", value)) for value in call.inputs),
            output=self.array(("value", call.output)),
            params={name: self.store.params[join(call.owner, name)] for name in local},
            buffers={name: self.store.buffers[join(call.owner, name)] for name in names},
            scratch={name: self.array(("scratch", index, name)) for name in self._scratch[index]},
            training=layout.training,
            rng=self.rng,
            grad_output=self._upstream(call) if training else None,
            grad_inputs=slots,
            grads=grads,
        )
        step = call.component.bind(site)
        backward = [step.backward] if training and step.backward is not None else []
        return [*self._checks(call, site), step.forward], backward + additions

    def _checks(self, call: Call, site: Site) -> list[Action]:
        """What looks at the targets of a loss before it, where the graph computes them: data have been seen."""
        loss = call.component
        if not isinstance(loss, Loss) or (producer := self.graph.producer(call.inputs[-1])) is None:
            return []
        check = partial(loss.check_target, self.graph.specs[call.inputs[0]])
        return [
            checking(check, site.inputs[-1], f"the target of {call.name}, which {dotted(producer.path)} computes")
        ]

    def _upstream(self, call: Call) -> Array:
        scale = self._scales.get(call.output)
        return self.array(("grad", call.output)) if scale is None else scale

    def _gradients(self, index: int, call: Call) -> tuple[tuple[Array | None, ...], list[Action]]:
        """Where a call writes the gradients of its inputs, and the additions that follow where a value has
        several readers.
        """
        slots: list[Array | None] = []
        additions: list[Action] = []
        for slot, value in enumerate(call.inputs):
            key: Key = ("extra", index, slot)
            if value not in self.layout.gradients:
                slots.append(None)
            elif key in self.layout.specs:
                slots.append(self.array(key))
                additions.append(_addition(self.array(("grad", value)), self.array(key)))
            else:
                slots.append(self.array(("grad", value)))
        return tuple(slots), additions

    def _reshaped(self, call: Call, grad_input: Array | None, additions: list[Action]) -> list[Action]:
        """Backward of a reshape: nothing where the gradients are one memory, else a copy."""
        upstream = self._upstream(call)
        if grad_input is None or np.shares_memory(grad_input, upstream):
            return additions
        target, source = grad_input, upstream.reshape(grad_input.shape)
        return [lambda: np.copyto(target, source), *additions]

    def _weight(self, index: int, call: Call, name: str) -> tuple[Array | None, list[Action]]:
        """Where a call writes the gradient of a parameter; the uses before the last are added to it."""
        grad = self.store.grads[join(call.owner, name)]
        key: Key = ("weight", index, name)
        if grad is None or key not in self.layout.specs:
            return grad, []
        extra = self.array(key)
        return extra, [_addition(grad, extra)]


def checking(check: Callable[[Array], None], target: Array, where: str) -> Action:
    """An action that refuses a computed target as one of the data is refused; `where` is for the message. What is
    NaN goes on: so does the loss, which ends a run.
    """

    def look() -> None:
        try:
            check(np.atleast_1d(target))
        except RowError as error:
            if target.dtype.kind != "f" or not np.isnan(target).any():
                raise DataError(f"{where}: {error.message} (row {error.row + 1} of the batch)") from None

    return look


def _addition(total: Array, extra: Array) -> Action:
    def add() -> None:
        np.add(total, extra, out=total)

    return add
