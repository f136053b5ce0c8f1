"""What tracing tells of a config: what is wrong with the whole model, and the arguments that it left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from declnet.core.component import Loss
from declnet.core.suggest import any_of
from declnet.core.wrapper import Block, Node, Wrapper
from declnet.errors import Path
from declnet.plan.graph import Call, Graph, Problem


def why_not(graph: Graph) -> str:
    """Why nothing in a model can learn."""
    if not graph.parameters:
        return "no component has parameters"
    if len(graph.frozen) == len(graph.parameters):
        return "all parameters are frozen"
    return "the loss depends on no parameter that is not frozen"


def rows_mixed(graph: Graph, larger: Graph) -> list[Problem]:
    """The components whose parameters' shapes follow the batch: they take its rows for something else."""
    problems = []
    for call, other in zip(graph.calls, larger.calls, strict=False):  # as far as both could be traced
        if call.path == other.path and _shapes(graph, call) != _shapes(larger, other):
            spec, source = graph.inputs_of(call)[0], graph.origins[call.inputs[0]]  # without inputs nothing follows
            problems.append(
                Problem(
                    f"{call.component.type} would mix the rows of a batch: its input {spec} is one number a row "
                    f"(from {source}); a column in a list, [a], is a vector of one",
                    call.path,
                )
            )
    return problems


def _shapes(graph: Graph, call: Call) -> list[tuple[int, ...]]:
    return [parameter.shape for parameter in graph.parameters_of(call).values()]


def completed(nodes: Sequence[Node], graph: Graph) -> tuple[Node, ...]:
    """The nodes with every inferred argument filled in that is the same in all calls."""
    found: dict[Path, list[Block]] = {}
    for call in graph.calls:
        found.setdefault(call.path, []).append(call.component)

    def fill(node: Any) -> Any:
        if not isinstance(node, Node) or node.component is None:
            return node
        block = node.component
        if isinstance(block, Wrapper):
            held = getattr(block, block.children)
            inner = {k: fill(v) for k, v in held.items()} if isinstance(held, dict) else tuple(map(fill, held))
            return replace(node, component=block.model_copy(update={block.children: inner}))
        complete = found.get(node.path, [block])
        agreed = {
            name: getattr(complete[0], name)
            for name in type(block).model_fields
            if all(getattr(other, name) == getattr(complete[0], name) for other in complete)
        }
        return replace(node, component=block.model_copy(update=agreed))

    return tuple(map(fill, nodes))


def unbalanced(graph: Graph) -> str | None:
    """Why classes cannot be weighed by how rare they are; None where they can."""
    losses = [(call, call.component) for call in graph.calls if isinstance(call.component, Loss)]
    taking = [(call, loss) for call, loss in losses if loss.balances]
    if not taking:
        kinds = any_of(sorted({loss.type for _, loss in losses}), "and")
        return f"CrossEntropyLoss, NLLLoss and BCEWithLogitsLoss take class weights, not {kinds}"
    for call, loss in taking:
        target = call.inputs[-1]
        if getattr(loss, loss.balances) is not None:
            return f"{loss.type} has its {loss.balances} already; leave one of the two out"
        if loss.balances == "weight" and graph.specs[target].kind != "int":
            return f"the target of {loss.type} holds shares of classes, and only class indices can be counted"
        if graph.field_of(target) is None:
            return f"the target of {loss.type} is computed, and only that of a data field can be counted"
    return None
