"""What is known of a network before a weight is allocated: parameters, operations, memory."""

from __future__ import annotations

import math
from collections import Counter

from declnet.core.numerics import BLOCK
from declnet.core.optimizer import Optimizer
from declnet.core.spec import DType, Spec
from declnet.core.wrapper import join
from declnet.plan.graph import Graph
from declnet.plan.liveness import Layout, lay_out
from declnet.plan.store import elements, place
from declnet.records import record
from declnet.runner.experiment import Experiment
from declnet.runner.scheduling import first


@record
class NodeFigures:
    """One call of a component, for one batch. What calls share is counted where it is called first."""

    name: str
    type: str
    output: Spec
    parameters: int
    flops: int
    """Floating-point operations of the forward pass."""
    learned: int
    """Bytes for its parameters and buffers, through all of a run: themselves, their gradients, the optimizer's
    state for them, and the best epoch's copy."""
    activations: int
    """Bytes of its own in the arena: its output, the gradient of that, and work space. An output that lies over
    its input has none. Not all are in use at once, so the arena is smaller than their sum."""


@record
class Memory:
    """Bytes of the arrays that a run with full batches allocates, the data aside.

    Not in it: Python's own objects, the views and functions of each plan (some hundred kilobytes, and more where
    large values are worked on in blocks), and what `orthogonal_` takes to factorise a parameter before training.
    """

    parameters: int
    """Parameters and buffers."""
    gradients: int
    """And, with `loop.accumulate`, their sum."""
    optimizer: int
    """Its state and its work space, and those of a moving average (`loop.ema`)."""
    activations: int
    """The arena: values, gradients of values and work space of one training step, after liveness."""
    best_epoch: int
    """The copy of the best epoch's parameters and buffers."""

    @property
    def total(self) -> int:
        """All of it."""
        return self.parameters + self.gradients + self.optimizer + self.activations + self.best_epoch


@record
class Figures:
    """A network in figures."""

    nodes: list[NodeFigures]
    data: dict[str, int]
    """Bytes of the batch in the arena, by data field."""
    memory: Memory

    @property
    def parameters(self) -> int:
        """Learnable numbers; shared ones count once."""
        return sum(node.parameters for node in self.nodes)

    @property
    def flops(self) -> int:
        """Floating-point operations of the forward pass of one batch."""
        return sum(node.flops for node in self.nodes)

    @property
    def learned(self) -> int:
        """Bytes for parameters and buffers of all nodes, the optimizer's work space aside."""
        return sum(node.learned for node in self.nodes)

    @property
    def activations(self) -> int:
        """Bytes of the arena that all nodes would take if none of it were shared."""
        return sum(node.activations for node in self.nodes)


def figures(experiment: Experiment) -> Figures:
    """Work everything out for the configured batch size, from shapes alone."""
    config = experiment.config
    graph = experiment.graph(experiment.batch)
    layout, evaluation = (lay_out(graph, training=mode, dtype=config.dtype) for mode in (True, False))
    learned = _learned(experiment, graph)
    blocks = _blocks(layout)
    nodes = []
    seen: set[str] = set()
    for call in graph.calls:
        own = {} if call.owner in seen else graph.parameters_of(call)
        buffers = {} if call.owner in seen else call.component.buffers(*graph.inputs_of(call))
        seen.add(call.owner)
        nodes.append(
            NodeFigures(
                name=call.name,
                type=call.component.type,
                output=graph.specs[call.output],
                parameters=sum(math.prod(parameter.shape) for parameter in own.values()),
                flops=graph.flops(call),
                learned=sum(learned[join(call.owner, name)] for name in (*own, *buffers)),
                activations=blocks[call.output],
            )
        )
    arena = max(layout.nbytes, evaluation.nbytes)
    data = {name: blocks[value] for name, value in graph.inputs.items()}
    return Figures(nodes, data, _memory(experiment, graph, arena))


def _blocks(layout: Layout) -> Counter[int]:
    """The bytes of the arena by the value that they are there for: that of the input, or of the call's output."""
    found: Counter[int] = Counter()
    for (kind, index, *_), nbytes in layout.blocks.items():
        value = int(index) if kind in ("value", "grad") else layout.calls[int(index)].output
        found[value] += nbytes
    return found


def _learned(experiment: Experiment, graph: Graph) -> dict[str, int]:
    """The bytes of each parameter and buffer, with all that is kept for it."""
    dtype = experiment.config.dtype
    found = {name: 2 * nbytes for name, nbytes in _buffers(graph, dtype).items()}
    groups = zip(first(experiment.config), experiment.config.optimizer.split(graph.trained()), strict=True)
    tuned = {name: optimizer for optimizer, (_, names) in groups for name in names}
    for name, parameter in graph.parameters.items():
        size = elements(parameter, dtype)
        own = Spec((size,)).nbytes(dtype)
        found[name] = own + Spec(parameter.shape).nbytes(dtype)
        if name in tuned:
            found[name] += own + _state(tuned[name], size, dtype) - _state(tuned[name], 0, dtype)
    return found


def _buffers(graph: Graph, dtype: DType) -> dict[str, int]:
    return {name: Spec(buffer.shape, buffer.kind).nbytes(dtype) for name, buffer in graph.buffers.items()}


def _state(optimizer: Optimizer, size: int, dtype: DType) -> int:
    """The bytes of the state of a group of `size` elements."""
    return sum(Spec(item.shape, item.kind).nbytes(dtype) for item in optimizer.state(size).values())


def _memory(experiment: Experiment, graph: Graph, activations: int) -> Memory:
    dtype = experiment.config.dtype
    groups = experiment.config.optimizer.split(graph.trained())
    places = place(graph.parameters, [names for _, names in groups], dtype)
    settings = zip(first(experiment.config), places.slices, strict=True)
    sizes = [(optimizer, piece.stop - piece.start) for optimizer, piece in settings]
    buffers = sum(_buffers(graph, dtype).values())
    loop, trained = experiment.config.loop, Spec((places.trained,)).nbytes(dtype)
    average = trained + Spec((min(BLOCK, places.trained),)).nbytes(dtype) if loop.ema is not None else 0
    return Memory(
        parameters=Spec((places.size,)).nbytes(dtype) + buffers,
        gradients=trained * (1 + (loop.accumulate > 1)),
        optimizer=sum(_state(o, size, dtype) + Spec((o.work(size),)).nbytes(dtype) for o, size in sizes) + average,
        activations=activations,
        best_epoch=sum(Spec(p.shape).nbytes(dtype) for p in graph.parameters.values()) + buffers,
    )
