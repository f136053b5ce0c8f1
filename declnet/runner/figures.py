"""What is known of a network before a weight is allocated: parameters, operations, memory."""

from __future__ import annotations

import math
from dataclasses import dataclass

from declnet.core.spec import Spec, numpy_dtype
from declnet.plan.graph import Graph
from declnet.plan.liveness import lay_out
from declnet.plan.store import place
from declnet.runner.experiment import Experiment


@dataclass(frozen=True, slots=True)
class NodeFigures:
    """One call of a component, for one batch."""

    name: str
    type: str
    output: Spec
    parameters: int
    flops: int
    """Floating-point operations of the forward pass."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that training allocates, the data aside."""

    parameters: int
    gradients: int
    optimizer: int
    activations: int
    """The arena: values, gradients of values and work space of one training step, after liveness."""

    @property
    def total(self) -> int:
        """All of it."""
        return self.parameters + self.gradients + self.optimizer + self.activations


@dataclass(frozen=True, slots=True)
class Figures:
    """A network in figures."""

    nodes: list[NodeFigures]
    memory: Memory

    @property
    def parameters(self) -> int:
        """Learnable numbers; shared ones count once."""
        return sum(node.parameters for node in self.nodes)

    @property
    def flops(self) -> int:
        """Floating-point operations of the forward pass of one batch."""
        return sum(node.flops for node in self.nodes)


def figures(experiment: Experiment) -> Figures:
    """Work everything out for the configured batch size, from shapes alone."""
    config = experiment.config
    graph = experiment.graph(config.loop.batch_size)
    nodes = []
    seen: set[str] = set()
    for call in graph.calls:
        own = {} if call.owner in seen else graph.parameters_of(call)
        seen.add(call.owner)
        count = sum(math.prod(parameter.shape) for parameter in own.values())
        nodes.append(
            NodeFigures(call.name, call.component.type, graph.specs[call.output], count, graph.flops(call))
        )
    return Figures(nodes, _memory(experiment, graph))


def _memory(experiment: Experiment, graph: Graph) -> Memory:
    config = experiment.config
    dtype = config.dtype
    width = numpy_dtype("float", dtype).itemsize
    groups = config.optimizer.split(graph.trained())
    places = place(graph.parameters, [names for _, names in groups], dtype)
    buffers = sum(Spec(buffer.shape, buffer.kind).nbytes(dtype) for buffer in graph.buffers.values())
    state = sum(
        Spec(item.shape, item.kind).nbytes(dtype)
        for (optimizer, _), piece in zip(groups, places.slices, strict=True)
        for item in optimizer.state(piece.stop - piece.start).values()
    )
    activations = max(lay_out(graph, training=training, dtype=dtype).nbytes for training in (True, False))
    return Memory(places.size * width + buffers, places.trained * width, state, activations)
