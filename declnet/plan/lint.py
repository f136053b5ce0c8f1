"""Warnings: what runs, and is hardly ever meant."""

from __future__ import annotations

from collections.abc import Iterator

from declnet.core.component import Loss
from declnet.plan.graph import Graph, Problem

TWICE: dict[str, dict[str, str]] = {
    "BCEWithLogitsLoss": {"Sigmoid": "takes logits and applies the sigmoid itself; remove Sigmoid, or use BCELoss"},
    "CrossEntropyLoss": {
        "Softmax": "takes logits and applies the softmax itself; remove Softmax",
        "LogSoftmax": "takes logits and applies the softmax itself; remove LogSoftmax, or use NLLLoss",
    },
    "NLLLoss": {"Softmax": "takes logarithms of probabilities; use LogSoftmax instead of Softmax"},
    "KLDivLoss": {"Softmax": "takes logarithms of probabilities; use LogSoftmax instead of Softmax"},
}
"""Components that do not belong before a loss, and why."""


def lint(graph: Graph) -> Iterator[Problem]:
    """The warnings about a graph without mistakes."""
    for path in graph.unused:
        yield _warning("nothing calls this component; call it with 'use', or remove it", path)
    yield from _unread(graph)
    for call in graph.calls:
        kind = call.component.type
        if isinstance(call.component, Loss):
            before = graph.producer(call.inputs[0])
            if before is not None and (reason := TWICE.get(kind, {}).get(before.component.type)):
                yield _warning(f"{before.component.type} before {kind}, which {reason}", before.path)
        elif kind.startswith("BatchNorm") and graph.inputs_of(call)[0].shape[0] == 1:
            yield _warning(
                f"{kind} normalises over the rows of a batch, and batches have one row; "
                "raise loop.batch_size, or use GroupNorm",
                call.path,
            )


def _warning(message: str, path: tuple[str | int, ...]) -> Problem:
    return Problem(message, path, "warning")


def _unread(graph: Graph) -> Iterator[Problem]:
    """Components whose output goes nowhere; of a chain the last, once."""
    read = {value for call in graph.calls for value in call.inputs}
    read |= {value for value, _ in graph.terms}.union(graph.kept)
    paths = {call.path for call in graph.calls if call.output in read}
    for path in dict.fromkeys(call.path for call in graph.calls if call.output not in read):
        if path not in paths:
            yield _warning("nothing reads its output; name it in 'inputs' or the loss, or remove it", path)
