"""A plan computes what the graph says: against PyTorch on random graphs, against differences on nasty ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from declnet.core.component import arity
from declnet.core.spec import Array, DType, Spec
from declnet.core.wrapper import Node, Term
from declnet.layers.linear import Linear
from declnet.losses.mse import MSELoss
from declnet.plan.graph import Graph
from declnet.plan.liveness import Layout
from declnet.plan.trace import trace
from plan.nets import NASTY, Recipe, nasty, quick, recipes
from plan.parts import Bench, draw

ROWS, REST = 3, 2
ORDER = ("train", "eval", "train rest", "train", "eval rest", "eval", "train rest")


def bench(full: Graph, rest: Graph) -> Bench:
    """The four plans of a training run: both modes, full batches and the last one."""
    return Bench(
        {"train": (full, True), "eval": (full, False), "train rest": (rest, True), "eval rest": (rest, False)}
    )


def close(found: Array, wanted: Array, what: str) -> None:
    """Equal to 1e-9 of the largest number, or of 1."""
    scale = max(1.0, float(np.max(np.abs(wanted), initial=0)))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-9 * scale, err_msg=what)


def features(layout: Layout) -> set[str]:
    """What is special about a layout: the random graphs have to meet all of it."""
    seen = set()
    kinds = {key[0] for key in layout.specs}
    seen |= {name for kind, name in (("extra", "several readers"), ("weight", "shared weights")) if kind in kinds}
    seen |= {"pruned calls"} if len(layout.calls) < len(layout.graph.calls) else set()
    seen |= {"several terms"} if len(layout.graph.terms) > 1 else set()
    for call in layout.calls:
        same = layout.offsets["value", call.output] == layout.offsets["value", call.inputs[0]]
        alias = call.component.alias(training=layout.training)
        seen.add(f"{alias}: {'same' if same else 'own'} memory")
        seen |= {"a value twice in a call"} if len(set(call.inputs)) < len(call.inputs) else set()
        seen |= {"a call without gradient"} if layout.training and call.output not in layout.gradients else set()
        if layout.training and same and "output" in call.component.saves:
            seen.add("in place, output saved")
        if alias == "in_place" and arity(type(call.component)).names[0] in call.component.saves:
            seen.add(f"saves its input in {'training' if layout.training else 'evaluation'}")
    return seen


FEATURES = {
    "several readers",
    "shared weights",
    "pruned calls",
    "several terms",
    "new: own memory",
    "in_place: own memory",
    "in_place: same memory",
    "reshape: same memory",
    "a value twice in a call",
    "a call without gradient",
    "in place, output saved",
    "saves its input in training",
    "saves its input in evaluation",
}


def compare(full: Graph, rest: Graph) -> set[str]:
    """Run four plans in turns over one store and one arena full of NaN, each time on other data."""
    from plan.reference import reference  # needs PyTorch, which the other tests do without

    plans = bench(full, rest)
    for seed, name in enumerate(ORDER):
        graph, training = rest if "rest" in name else full, "train" in name
        data = draw(graph, seed)
        state = plans.rng.bit_generator.state
        twin = np.random.default_rng()
        twin.bit_generator.state = state
        before = {key: array.copy() for key, array in plans.store.state_dict().items()}
        loss = plans.run(name, data)
        wanted = reference(graph, before, data, twin, training=training)
        close(np.array(loss), np.array(wanted.loss), "loss")
        for key, array in wanted.buffers.items():
            close(plans.store.buffers[key], array, key)
        for key in graph.parameters:
            np.testing.assert_array_equal(plans.store.params[key], before[key], f"the step changed {key}")
        assert plans.rng.bit_generator.state == twin.bit_generator.state
        if training:
            assert plans.grads.keys() >= wanted.grads.keys()
            for key, grad in plans.grads.items():
                close(grad, wanted.grads[key], f"gradient of {key}")
        else:
            output = plans.plans[name].output
            assert output is not None
            close(output, wanted.output, "output")
    return features(plans.layouts["train"]) | features(plans.layouts["eval"])


@pytest.mark.torch
def test_random_graphs_agree_with_pytorch() -> None:
    pytest.importorskip("torch")
    seen: set[str] = set()

    @quick
    @given(recipes())
    def check(recipe: Recipe) -> None:
        seen.update(compare(recipe.graph(ROWS), recipe.graph(REST)))

    check()
    assert FEATURES - seen == set(), "the random graphs don't reach everything they should"


@pytest.mark.torch
@pytest.mark.parametrize("name", NASTY)
def test_nasty_graphs_agree_with_pytorch(name: str) -> None:
    pytest.importorskip("torch")
    compare(nasty(name, ROWS), nasty(name, REST))


@pytest.mark.parametrize("name", NASTY)
def test_gradients_are_those_of_the_loss(name: str) -> None:
    plans = bench(nasty(name, ROWS), nasty(name, REST))
    data = draw(nasty(name, ROWS), 1)
    state = plans.rng.bit_generator.state

    def loss() -> float:
        plans.rng.bit_generator.state = state
        return plans.run("train", data)

    loss()
    found = {key: grad.copy() for key, grad in plans.grads.items()}
    assert found
    for key, grad in found.items():
        param = plans.store.params[key]
        for index in np.ndindex(param.shape):
            value = param[index]
            param[index] = value + 1e-5
            above = loss()
            param[index] = value - 1e-5
            below = loss()
            param[index] = value
            assert (above - below) / 2e-5 == pytest.approx(grad[index], rel=1e-6, abs=1e-7), f"{key}{index}"


@pytest.mark.parametrize("name", NASTY)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_running_again_gives_the_same_bits(name: str, dtype: DType) -> None:
    """LBFGS runs the step several times on the data that are there, and other plans run in between."""
    graph = nasty(name, ROWS)
    plans = Bench({"train": (graph, True), "eval": (graph, False)}, dtype=dtype)
    data = draw(graph, 5, dtype)
    state = plans.rng.bit_generator.state
    plans.run("train", data)
    results = []
    for again in range(4):
        plans.rng.bit_generator.state = state
        for grad in plans.grads.values():
            grad[...] = np.nan
        if again == 2:
            plans.run("eval", data)
            plans.run("train", data)
            plans.rng.bit_generator.state = state
        loss = plans.plans["train"].run()  # on what the buffers hold
        results.append((loss, plans.store.gradient.tobytes()))
    assert len(set(results)) == 1
    assert np.isfinite(plans.store.gradient).all()


def test_a_component_may_be_called_loss() -> None:
    node = Node(Linear(out_features=4), ("model", 0), "loss")
    graph = trace([node], [Term(MSELoss(), ("loss",))], {"x": Spec((3, 4))}, {"y": Spec((3, 4))})
    assert graph.problems == []
    plans = Bench({"train": (graph, True)})
    data = draw(graph, 0)
    plans.run("train", data)  # over gradients that are NaN
    once = plans.store.gradient.copy()
    assert np.isfinite(once).all()
    plans.run("train", data, poison=False)
    np.testing.assert_array_equal(plans.store.gradient, once)
