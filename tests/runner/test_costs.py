"""Operations and bytes of calls, against the products that are run and the arrays that are there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from declnet.core.spec import Array, DType
from declnet.plan.liveness import Layout, lay_out
from declnet.runner.costs import Cost, costs
from declnet.runner.experiment import load
from declnet.runner.model import Model

HEAD = {"seed": 0, "data": {"source": "Digits"}, "loss": "CrossEntropyLoss", "optimizer": "SGD"}
BATCH = 16


def of(*nodes: object, dtype: DType = "float32", **sections: object) -> tuple[Layout, list[tuple[Cost, Cost]]]:
    """The costs of the model's nodes and of its loss."""
    experiment = load({**HEAD, "dtype": dtype, "model": list(nodes), **sections})
    layout = lay_out(experiment.graph(BATCH), training=True, dtype=dtype)
    return layout, [costs(layout, call, dtype) for call in layout.calls]


LINEAR = {"type": "Linear", "out_features": 10, "bias": False}


@pytest.mark.parametrize(
    "nodes",
    [
        pytest.param([{**LINEAR, "out_features": 32}, "ReLU", LINEAR], id="linear"),
        pytest.param([{**LINEAR, "out_features": 32, "freeze": True}, "ReLU", LINEAR], id="frozen"),
        pytest.param(
            [
                {**LINEAR, "name": "a"},
                {**LINEAR, "name": "b", "inputs": "x"},
                {"type": "Add", "inputs": ["a", "b"]},
            ],
            id="two",
        ),
    ],
)
def test_operations_are_those_of_the_products(
    nodes: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def watched(product: Callable[..., Array]) -> Callable[..., Array]:
        def run(a: Array, b: Array, *out: Array, **named: Array) -> Array:
            if a.ndim > 1 and b.ndim > 1:  # sums over rows are products with a vector
                seen.append(2 * a.shape[-2] * a.shape[-1] * b.shape[-1])
            return product(a, b, *out, **named)

        return run

    experiment = load({**HEAD, "model": nodes})
    plan = Model(experiment, [(True, BATCH)], np.random.default_rng(0)).plans[True, BATCH]
    for buffer in plan.inputs.values():
        buffer.fill(0)
    for name in ("matmul", "dot"):
        monkeypatch.setattr(np, name, watched(getattr(np, name)))
    for step in plan.forward:
        step()
    forward = len(seen)
    for step in plan.backward:
        step()
    monkeypatch.undo()
    layout, found = of(*nodes)
    linear = [cost for call, cost in zip(layout.calls, found, strict=True) if call.component.type == "Linear"]
    assert sum(cost.flops for cost, _ in linear) == sum(seen[:forward])
    assert sum(cost.flops for _, cost in linear) == sum(seen[forward:])


def test_bytes_are_those_of_the_arrays_that_are_touched() -> None:
    layout, found = of(
        {"type": "Linear", "out_features": 32}, "ReLU", {"type": "Dropout", "p": 0.5}, "Flatten", LINEAR
    )
    item, rows = 4, BATCH
    x, hidden, out, weight, bias, last = rows * 64, rows * 32, rows * 10, 32 * 64, 32, 10 * 32
    first, relu, dropout, flatten, second, loss = found
    assert [call.component.type for call in layout.calls][-1] == "CrossEntropyLoss"
    assert first[0].nbytes == item * (x + weight + bias + hidden)
    assert first[1].nbytes == item * (hidden + weight + bias + x), "nobody asks for the gradient of the data"
    assert relu[0].nbytes == item * 2 * hidden
    assert relu[1].nbytes == item * 3 * hidden, "two gradients, and what it gave"
    assert dropout[0].nbytes > relu[0].nbytes, "the mask is kept"
    assert flatten == (Cost(), Cost())
    assert second[0].nbytes == item * (hidden + last + out)
    assert second[1].nbytes == item * (out + last + hidden + hidden + last)
    assert loss[0].nbytes > item * out + 8 * rows


def test_what_is_looked_up_is_read_only_as_far_as_it_is() -> None:
    table = {"type": "Embedding", "num_embeddings": 1000, "embedding_dim": 8}
    data = {"source": "Digits", "inputs": {"y": {"columns": "label", "dtype": "int64"}}}
    data |= {"targets": {"t": {"columns": "label", "dtype": "int64"}}}
    _, (embedding, *_) = of(table, LINEAR, data=data)
    assert embedding[0].nbytes == 8 * BATCH + 2 * 4 * BATCH * 8
    assert embedding[1].nbytes >= 4 * 1000 * 8, "the gradient is that of the whole table"


def test_float64_is_twice_as_many_bytes() -> None:
    _, single = of("ReLU", LINEAR)
    _, double = of("ReLU", LINEAR, dtype="float64")
    assert double[0][0].nbytes == 2 * single[0][0].nbytes
    assert double[0][0].flops == single[0][0].flops
    assert single[0][1] == Cost(), "nothing before it is trained"


def test_costs_add_up() -> None:
    assert Cost(1, 2) + Cost(3, 4) * 5 == Cost(16, 22)
