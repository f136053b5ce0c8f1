"""Liveness: nothing that is still needed is written over, and no more memory is taken than that asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from declnet.activations.relu import ReLU
from declnet.core.component import Module
from declnet.core.spec import DType, Spec
from declnet.dropout.dropout import Dropout
from declnet.layers.linear import Linear
from declnet.operations.flatten import Flatten
from declnet.plan.graph import Graph
from declnet.plan.liveness import Block, Layout, lay_out, pack
from declnet.plan.store import ALIGNMENT
from plan.nets import NASTY, Recipe, nasty, quick, recipes
from plan.parts import Add, Bench, Bump, Distance, Fold, Net, Scale, Spread, Tanh, draw
from plan.simulate import Simulation

spans = st.tuples(st.integers(0, 12), st.integers(0, 6)).map(lambda pair: (pair[0], pair[0] + pair[1]))
blocks = st.builds(Block, st.integers(0, 9).map(lambda n: n * ALIGNMENT), st.lists(spans, min_size=1, max_size=3))


@settings(quick, max_examples=120)
@given(st.lists(blocks, max_size=12))
def test_blocks_in_use_together_lie_apart(items: list[Block]) -> None:
    total = pack(items)
    in_use = [
        [block for block in items if any(start <= time <= end for start, end in block.spans)] for time in range(20)
    ]
    for together in in_use:
        for index, one in enumerate(together):
            for other in together[:index]:
                assert one.offset + one.nbytes <= other.offset or other.offset + other.nbytes <= one.offset
    assert all(block.offset >= 0 and block.offset % ALIGNMENT == 0 for block in items)
    assert total == max((block.offset + block.nbytes for block in items), default=0)
    assert max(sum(block.nbytes for block in together) for together in in_use) <= total
    assert total <= sum(block.nbytes for block in items)


def test_blocks_fill_the_gaps() -> None:
    """The large one is first; a small one goes beside it, and one that comes later in its place."""
    items = [
        Block(64, [(0, 9)]),
        Block(256, [(0, 4)]),
        Block(192, [(5, 9)]),
        Block(64, [(5, 5), (7, 7)]),
        Block(0, [(0, 9)]),
    ]
    assert pack(items) == 320
    assert [block.offset for block in items] == [256, 0, 0, 192, 0]


@settings(quick, max_examples=120)
@given(recipes(calls=20), st.booleans(), st.sampled_from(["float32", "float64"]))
def test_nothing_needed_is_written_over_in_random_graphs(recipe: Recipe, training: bool, dtype: DType) -> None:
    simulate(recipe.graph(3), training=training, dtype=dtype)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", NASTY)
def test_nothing_needed_is_written_over_in_nasty_graphs(name: str, training: bool) -> None:
    simulate(nasty(name, 3), training=training)


def simulate(graph: Graph, *, training: bool, dtype: DType = "float64") -> None:
    layout = lay_out(graph, training=training, dtype=dtype)
    Simulation(layout, dtype).run()
    assert layout.nbytes <= everything(layout, dtype)


def everything(layout: Layout, dtype: DType) -> int:
    """Bytes of all buffers side by side."""
    return sum(-(-spec.nbytes(dtype) // ALIGNMENT) * ALIGNMENT for spec in layout.specs.values())


def test_the_simulation_finds_what_was_written_over() -> None:
    """The check itself: values moved onto each other are noticed."""
    layout = lay_out(nasty("diamond", 3), training=True, dtype="float64")
    for key in layout.offsets:
        kept = layout.offsets[key]
        caught = 0
        for offset in sorted(set(layout.offsets.values()) - {kept}):
            layout.offsets[key] = offset
            try:
                Simulation(layout, "float64").run()
            except AssertionError:
                caught += 1
        layout.offsets[key] = kept
        assert caught, f"{key} could be anywhere"
    Simulation(layout, "float64").run()


def mlp(depth: int, width: int = 64, batch: int = 32) -> Graph:
    net = Net(x=Spec((batch, width)), y=Spec((batch, width)))
    value = net["x"]
    for _ in range(depth):
        value = net.chain(value, Linear(out_features=width), ReLU())
    net.term(Distance(), value, net["y"])
    return net.graph


LAYER = 32 * 64 * 4


@pytest.mark.parametrize("depth", [2, 3, 30])
def test_evaluating_a_deep_chain_takes_two_layers(depth: int) -> None:
    """Two data fields, two layers in turn, and the loss, which has a cache line of its own."""
    assert lay_out(mlp(depth), training=False, dtype="float32").nbytes == (2 + 2) * LAYER + ALIGNMENT


@pytest.mark.parametrize("depth", [2, 3, 30])
def test_training_a_deep_chain_keeps_each_layer_once(depth: int) -> None:
    """Two data fields, one output for each Linear and its ReLU together, and two gradients in turn. The
    loss's difference and ReLU's mask are smaller, or there when fewer gradients are.
    """
    layout = lay_out(mlp(depth), training=True, dtype="float32")
    assert layout.nbytes == (2 + depth + 2) * LAYER + ALIGNMENT
    assert layout.nbytes < everything(layout, "float32") / 1.5


Build = Callable[[Net], None]


def chain(*components: Module) -> Build:
    return lambda net: net.term(Distance(), net.chain(net["x"], *components), net["x"])  # type: ignore[func-returns-value]


def linear() -> Linear:
    return Linear(out_features=4)


def read_twice(net: Net) -> None:
    a = net.call(linear(), net["x"])
    net.term(Distance(), net.call(ReLU(), a), a)


def read_twice_below(net: Net) -> None:
    a = net.call(linear(), net["x"])
    net.term(Distance(), net.chain(a, Fold(), ReLU(), Flatten()), a)


def read_by_nobody_who_counts(net: Net) -> None:
    a = net.call(linear(), net["x"])
    net.call(Bump(), a)
    net.term(Distance(), net.call(ReLU(), a), net["x"])


def kept(net: Net) -> None:
    a = net.call(linear(), net["x"])
    net.term(Distance(), net.chain(a, Fold(), ReLU(), Flatten()), net["x"])
    net.graph.outputs = [a]


def kept_among_others(net: Net) -> None:
    a = net.call(linear(), net["x"])
    b = net.call(ReLU(), a)
    net.term(Distance(), b, net["x"])
    net.graph.outputs = [b, a]


def kept_at_the_end(net: Net) -> None:
    a = net.call(linear(), net["x"])
    net.term(Distance(), net.call(ReLU(), a), net["x"])


def measured(net: Net) -> None:
    a = net.call(linear(), net["x"])
    net.term(Distance(), net.chain(a, Fold(), ReLU(), Flatten()), net["x"])
    net.graph.measures = [(a, net["x"])]


def second_input(net: Net) -> None:
    """Only the first input may be written over."""
    a, b = net.call(linear(), net["x"]), net.call(linear(), net["x"])
    net.term(Distance(), net.call(Add(), a, b), b)


def own_second_input(net: Net) -> None:
    a = net.call(linear(), net["x"])
    net.term(Distance(), net.call(Add(), a, a), net["x"])


@pytest.mark.parametrize(
    ("build", "training", "evaluation"),
    [
        pytest.param(chain(linear(), ReLU()), ["1"], ["1"], id="after Linear"),
        pytest.param(chain(ReLU()), [], [], id="on data"),
        pytest.param(chain(Fold(), ReLU(), Flatten()), [], [], id="on a view of data"),
        pytest.param(chain(linear(), Fold(), ReLU(), Flatten()), ["2"], ["2"], id="through a view"),
        pytest.param(chain(linear(), Tanh(), ReLU()), ["1"], ["1", "2"], id="its producer, in place, saves it"),
        pytest.param(chain(linear(), Tanh(place="new"), ReLU()), [], ["2"], id="its producer saves it"),
        pytest.param(
            chain(linear(), Tanh(place="new"), Fold(), ReLU(), Flatten()),
            [],
            ["3"],
            id="its producer saves it below",
        ),
        pytest.param(chain(linear(), Bump()), [], ["1"], id="it saves its own input"),
        pytest.param(chain(linear(), Scale(), linear(), ReLU()), ["1", "3"], ["1", "3"], id="saved by its reader"),
        pytest.param(chain(linear(), Dropout(), ReLU()), ["1", "2"], ["2"], id="after Dropout"),
        pytest.param(chain(Dropout(), Scale(), linear()), ["1"], [], id="after Dropout on data"),
        pytest.param(read_twice, [], [], id="read elsewhere"),
        pytest.param(read_twice_below, [], [], id="read elsewhere below a view"),
        pytest.param(read_by_nobody_who_counts, ["2"], ["2"], id="read by a call that is pruned"),
        pytest.param(kept, ["2"], [], id="below it the output"),
        pytest.param(measured, ["2"], [], id="below it what a metric reads"),
        pytest.param(kept_among_others, ["1"], [], id="one of two outputs"),
        pytest.param(kept_at_the_end, ["1"], ["1"], id="the output itself"),
        pytest.param(second_input, ["2"], ["2"], id="two inputs"),
        pytest.param(own_second_input, [], [], id="one value as both inputs"),
    ],
)
def test_in_place_where_nobody_needs_the_input(build: Build, training: list[str], evaluation: list[str]) -> None:
    for mode, expected in ((True, training), (False, evaluation)):
        net = Net(x=Spec((3, 4)))
        build(net)
        layout = lay_out(net.graph, training=mode, dtype="float64")
        assert in_place(layout) == expected


def in_place(layout: Layout) -> list[str]:
    """Calls that run a step over their input."""
    return [
        call.name
        for call in layout.calls
        if call.component.alias(training=layout.training) != "reshape"
        and layout.offsets["value", call.output] == layout.offsets["value", call.inputs[0]]
    ]


@pytest.mark.parametrize("training", [True, False])
def test_not_in_place_where_the_output_is_larger(training: bool) -> None:
    net = Net(x=Spec((50, 4)), z=Spec((50, 4)))
    columns, matrix = net.call(Linear(out_features=1), net["x"]), net.call(linear(), net["x"])
    spread = net.call(Spread(), columns, matrix)
    net.term(Distance(), spread, net["z"])
    simulate(net.graph, training=training)
    offsets = lay_out(net.graph, training=training, dtype="float64").offsets
    for kind in ("value", "grad") if training else ("value",):
        assert offsets[kind, columns] != offsets[kind, spread]


@pytest.mark.parametrize(
    ("components", "forward", "backward", "evaluation"),
    [
        ([linear(), ReLU()], 3, 3, 3),
        ([linear(), Dropout(), Flatten(), ReLU()], 4, 4, 3),
        ([linear(), Dropout(p=0.0), Flatten()], 2, 2, 2),
        ([Dropout(), Scale(), linear()], 4, 2, 3),  # nothing goes back to data
        ([Flatten(), ReLU(), Flatten()], 2, 0, 2),  # nothing learns
    ],
)
def test_steps(components: Sequence[Module], forward: int, backward: int, evaluation: int) -> None:
    """Views have no step, in evaluation Dropout has none either; each term of the loss has one."""
    net = Net(x=Spec((3, 4)))
    net.term(Distance(), net.chain(net["x"], *components), net["x"])
    plans = Bench({"train": (net.graph, True), "eval": (net.graph, False)}).plans
    counts = (len(plans["train"].forward), len(plans["train"].backward))
    assert counts == (forward, backward)
    assert (len(plans["eval"].forward), len(plans["eval"].backward)) == (evaluation, 0)


def test_what_is_frozen_or_unused_has_no_gradient() -> None:
    """Trained: the first weight and the last bias. In between gradients still pass through."""
    net = Net(x=Spec((3, 4)))
    a = net.chain(net["x"], linear(), Tanh(), linear())
    net.call(linear(), a)
    net.term(Distance(), a, net["x"])
    graph = net.graph
    assert graph.trained() == ["0.weight", "0.bias", "2.weight", "2.bias"]
    data = draw(graph, 0)
    whole = Bench({"train": (graph, True)})
    part = Bench({"train": (graph, True)}, groups=[["2.bias"], ["0.weight"]])
    assert whole.run("train", data) == part.run("train", data)
    assert [name for name, grad in whole.store.grads.items() if grad is None] == ["3.weight", "3.bias"]
    frozen = ["0.bias", "2.weight", "3.weight", "3.bias"]
    assert [name for name, grad in part.store.grads.items() if grad is None] == frozen
    assert part.store.gradient.size == 8 + 16
    for name, grad in part.grads.items():
        np.testing.assert_array_equal(grad, whole.grads[name])


@pytest.mark.parametrize("training", [True, False])
def test_only_data_that_are_read_have_a_place(training: bool) -> None:
    net = Net(x=Spec((3, 4)), y=Spec((3, 4)), unused=Spec((3, 4)))
    net.term(Distance(), net.call(linear(), net["x"]), net["y"])
    assert [*Bench({"": (net.graph, training)}).plans[""].inputs] == ["x", "y"]


def test_every_output_is_kept() -> None:
    """Also one that no term depends on; training keeps none."""
    net = Net(x=Spec((3, 4)))
    a = net.call(linear(), net["x"])
    net.term(Distance(), net.call(linear(), a), net["x"])
    b = net.call(ReLU(), net.call(linear(), a))
    net.graph.outputs = [a, b, net["x"]]
    simulate(net.graph, training=False)
    plans = Bench({"eval": (net.graph, False), "train": (net.graph, True)})
    data = draw(net.graph, 0)
    plans.run("eval", data)
    first, second, third = plans.plans["eval"].outputs
    weight, bias, _, _, last_weight, last_bias = plans.store.params.values()
    np.testing.assert_allclose(first, data["x"] @ weight.T + bias, rtol=1e-12)
    np.testing.assert_allclose(second, np.maximum(first @ last_weight.T + last_bias, 0), rtol=1e-12)
    np.testing.assert_array_equal(third, data["x"])
    assert plans.plans["train"].outputs == ()
    assert plans.plans["eval"].output.size == 0


def test_an_output_that_is_data_is_kept() -> None:
    net = Net(x=Spec((3, 4)), y=Spec((3, 4)))
    net.term(Distance(), net.call(linear(), net["x"]), net["x"])
    net.graph.outputs = [net["y"]]
    plans = Bench({"eval": (net.graph, False)})
    data = draw(net.graph, 0)
    plans.run("eval", data)
    output = plans.plans["eval"].output
    assert output is not None
    np.testing.assert_array_equal(output, data["y"])


def test_what_metrics_compare_is_kept() -> None:
    """In evaluation, also where nothing else reads it: a value of the model, and data."""
    net = Net(x=Spec((3, 4)), y=Spec((3, 4)), z=Spec((3, 4)))
    head = net.call(linear(), net["x"])
    net.chain(head, ReLU(), ReLU())
    other = net.call(linear(), net["x"])
    net.term(Distance(), net.chain(other, ReLU(), linear()), net["y"])
    net.graph.measures = [(head, net["z"]), (other, net["y"]), (other, head)]
    for training in (True, False):
        simulate(net.graph, training=training)
    plans = Bench({"eval": (net.graph, False), "train": (net.graph, True)})
    data = draw(net.graph, 0)
    plans.run("eval", data)
    params = plans.store.params
    expected = [data["x"] @ params[f"{name}.weight"].T + params[f"{name}.bias"] for name in ("0", "3")]
    pairs = [(expected[0], data["z"]), (expected[1], data["y"]), (expected[1], expected[0])]
    for found, wanted in zip(plans.plans["eval"].measured, pairs, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12)
    assert plans.plans["train"].measured == []
    assert "0" in [call.name for call in plans.layouts["eval"].calls]
    assert "0" not in [call.name for call in plans.layouts["train"].calls]
