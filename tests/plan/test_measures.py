"""What metrics read of a graph: by name or left out, and every mistake in its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from declnet.activations.sigmoid import Sigmoid
from declnet.activations.softmax import Softmax
from declnet.core.component import Loss, Module
from declnet.core.metric import Measure, Metric
from declnet.core.spec import Spec
from declnet.core.wrapper import Node, Refs, Term
from declnet.errors import dotted
from declnet.layers.linear import Linear
from declnet.losses.bce import BCELoss
from declnet.losses.bce_with_logits import BCEWithLogitsLoss
from declnet.losses.mse import MSELoss
from declnet.metrics.accuracy import Accuracy
from declnet.metrics.differences import Mae
from declnet.metrics.top_k import TopK
from declnet.operations.flatten import Flatten
from declnet.plan.graph import Graph
from declnet.plan.lint import lint
from declnet.plan.trace import trace

HEADS = {"digit": (Linear(out_features=3), ("x",)), "again": (Linear(out_features=4), ("x",))}
LOSS = Term(MSELoss(), ("loss",), ("again", "x"))
TARGETS = {"y": Spec((5,), "int"), "z": Spec((5, 4))}


def graph_of(
    *measures: tuple[Metric, Refs],
    heads: Mapping[str, tuple[Module, Refs]] = HEADS,
    term: Term = LOSS,
    targets: Mapping[str, Spec] = TARGETS,
) -> Graph:
    nodes = [Node(module, ("model", i), name, inputs) for i, (name, (module, inputs)) in enumerate(heads.items())]
    listed = [Measure(metric, ("loop", "metrics", i), inputs) for i, (metric, inputs) in enumerate(measures)]
    return trace(nodes, [term], {"x": Spec((5, 4))}, targets, listed)


def test_what_is_left_out_is_the_output_and_the_first_target() -> None:
    graph = graph_of(
        (Mae(), {"target": "z"}),
        (Accuracy(), {"output": "digit"}),
        (Mae(), ("again", "x")),
        (TopK(k=1), {"output": "digit", "target": "y"}),
    )
    assert graph.problems == []
    names = {value: name for name, value in graph.inputs.items()} | {call.output: call.name for call in graph.calls}
    assert [(names[output], names[target]) for output, target in graph.measures] == [
        *(("again", "z"), ("digit", "y"), ("again", "x"), ("digit", "y"))
    ]
    assert [names[value] for value in graph.kept] == ["again", "z", "digit", "y", "x"]
    assert [call.name for call in graph.needed(training=False)] == ["digit", "again", "loss"]
    assert [call.name for call in graph.needed(training=True)] == ["again", "loss"]
    assert list(lint(graph)) == []


def test_what_only_a_metric_reads_is_read() -> None:
    warnings = [(dotted(item.path), item.message) for item in lint(graph_of())]
    assert warnings == [("model[0]", "nothing reads its output; name it in 'inputs' or the loss, or remove it")]


@pytest.mark.parametrize(
    ("metric", "inputs", "place", "message"),
    [
        (Mae(), ("again",), ".inputs", "mae takes 2 inputs (output, target) but gets 1"),
        (Mae(), ("again", "x", "z"), ".inputs", "mae takes 2 inputs (output, target) but gets 3"),
        (Mae(), {"input": "again"}, ".inputs.input", "inputs are output, target; got input"),
        (
            Mae(),
            {"output": "agai"},
            ".inputs.output",
            "nothing before it is called 'agai'; did you mean 'again'?",
        ),
        (
            Mae(),
            None,
            "",
            "mae compares outputs with targets of the same shape, but the output is (5, 4) and the target (5,) int",
        ),
        (
            TopK(k=4),
            {"output": "digit"},
            ".k",
            "top_k looks at 4 classes but its output (5, 3) has 3; lower k (from model[0])",
        ),
    ],
)
def test_mistakes(metric: Metric, inputs: Refs, place: str, message: str) -> None:
    graph = graph_of((metric, inputs))
    assert [(dotted(item.path), item.message) for item in graph.problems] == [(f"loop.metrics[0]{place}", message)]


def test_without_targets() -> None:
    graph = graph_of((Mae(), None), (Mae(), {"target": "x"}), targets={})
    assert [(dotted(item.path), item.message) for item in graph.problems] == [
        ("loop.metrics[0]", "mae needs a target; declare data.targets")
    ]


@pytest.mark.parametrize(
    ("modules", "loss", "expected"),
    [
        ([Linear(out_features=4)], MSELoss(), False),
        ([Sigmoid()], MSELoss(), True),
        ([Softmax(dim=1), Flatten()], MSELoss(), True),
        ([Sigmoid(), Linear(out_features=4)], MSELoss(), False),
        ([Linear(out_features=4)], BCELoss(), True),
        ([Linear(out_features=4)], BCEWithLogitsLoss(), False),
    ],
)
def test_what_holds_probabilities(modules: Sequence[Module], loss: Loss, expected: bool) -> None:
    heads = {f"m{index}": (module, None) for index, module in enumerate(modules)}
    graph = graph_of(heads=heads, term=Term(loss, ("loss",), {"target": "z"}))
    assert graph.problems == []
    assert graph.output is not None
    assert graph.probabilities(graph.output) == expected
