"""What a call of a component has to do at least: operations, and bytes that are read or written."""

from __future__ import annotations

from declnet.core.component import Scratch, arity
from declnet.core.spec import DType, Spec
from declnet.core.wrapper import join
from declnet.plan.graph import Call
from declnet.plan.liveness import Layout
from declnet.records import record


@record
class Cost:
    """Of one run of a call, forward or backward."""

    flops: int = 0
    nbytes: int = 0

    def __add__(self, other: Cost) -> Cost:
        """Of both."""
        return Cost(self.flops + other.flops, self.nbytes + other.nbytes)

    def __mul__(self, times: int) -> Cost:
        """Of so many runs."""
        return Cost(self.flops * times, self.nbytes * times)


def costs(layout: Layout, call: Call, dtype: DType) -> tuple[Cost, Cost]:
    """Forward and backward, in training. Every array that a step reads or writes counts once.

    Each gradient that is asked for, that of the weights and that of each input, takes as many operations as forward
    does: so it is with matrix products. Of what is looked up by an integer, forward reads what it gives.
    """
    if call.component.alias(training=True) == "reshape":
        return Cost(), Cost()
    graph = layout.graph
    inputs, output = graph.inputs_of(call), graph.specs[call.output]
    params = {name: Spec(parameter.shape) for name, parameter in graph.parameters_of(call).items()}
    scratch: dict[str, Scratch] = call.component.scratch(*inputs, training=True)
    kept = _nbytes(dtype, *(Spec(item.shape, item.kind) for item in scratch.values() if item.saved))
    weights = _nbytes(dtype, *params.values())
    looked_up = any(spec.kind == "int" for spec in inputs)
    read = min(weights, output.nbytes(dtype)) if looked_up else weights
    flops = graph.flops(call)
    forward = Cost(flops, _nbytes(dtype, *inputs, output) + read + kept)
    if call.output not in layout.gradients:
        return forward, Cost()

    trained = set(graph.trained())
    learned = [spec for name, spec in params.items() if join(call.owner, name) in trained]
    wanted = [graph.specs[value] for value in call.inputs if value in layout.gradients]
    moved = _nbytes(dtype, output, *wanted, *learned, *_saved(call, inputs, output)) + kept
    moved += weights if wanted else 0
    return forward, Cost(flops * (len(wanted) + bool(learned)), moved)


def _saved(call: Call, inputs: list[Spec], output: Spec) -> list[Spec]:
    """What backward reads of what forward read and gave."""
    names, saves = arity(type(call.component)).names, call.component.saves
    found = [spec for i, spec in enumerate(inputs) if names[min(i, len(names) - 1)] in saves]
    return [*found, output] if "output" in saves else found


def _nbytes(dtype: DType, *specs: Spec) -> int:
    return sum(spec.nbytes(dtype) for spec in specs)
