"""The store: flat vectors and the views on them, first values, and taking values by name."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from declnet.core.component import Buffer, Parameter
from declnet.core.laws import Constant, Normal
from declnet.core.spec import Array, DType, Spec
from declnet.errors import CheckpointError
from declnet.layers.linear import Linear
from declnet.optimizers.adam import AdamW
from declnet.plan.store import ALIGNMENT, Store, aligned, place
from declnet.runner.model import Optimization
from plan.parts import Bench, Distance, Gain, Net, Norm, draw

PARAMETERS = {
    "a.weight": Parameter((5, 3), Normal()),
    "a.bias": Parameter((5,), Normal(2.0, 0.5)),
    "gain": Parameter((), Constant(0.5)),
    "b.weight": Parameter((16,), Normal()),
    "table": Parameter((2, 3, 4), Normal()),
}
BUFFERS = {
    "n.mean": Buffer((3,)),
    "n.var": Buffer((3,), 1.0),
    "n.count": Buffer((), 0, "int"),
    "on": Buffer((2,), 1, "bool"),
}
GROUPS = [["b.weight", "a.bias"], ["a.weight"], ["gain"]]


def make(dtype: DType = "float32", *, seed: int = 0, groups: list[list[str]] = GROUPS) -> Store:
    store = Store(PARAMETERS, BUFFERS, groups, dtype)
    store.initialize(np.random.default_rng(seed))
    return store


@pytest.mark.parametrize(
    ("dtype", "offsets", "slices", "trained", "size"),
    [
        ("float32", [0, 16, 32, 48, 64], [(0, 32), (32, 48), (48, 64)], 64, 96),
        ("float64", [0, 16, 24, 40, 48], [(0, 24), (24, 40), (40, 48)], 48, 72),
    ],
)
def test_parameters_lie_by_group_then_the_rest(
    dtype: DType, offsets: list[int], slices: list[tuple[int, int]], trained: int, size: int
) -> None:
    """Each starts at a cache line: 16 float32 or 8 float64."""
    places = place(PARAMETERS, GROUPS, dtype)
    names = ["b.weight", "a.bias", "a.weight", "gain", "table"]
    assert [*places.offsets.items()] == [*zip(names, offsets, strict=True)]
    assert [(piece.start, piece.stop) for piece in places.slices] == slices
    assert (places.trained, places.size) == (trained, size)


@pytest.mark.parametrize("groups", [[], [[]], [[], ["gain"], []]])
def test_empty_groups(groups: list[list[str]]) -> None:
    places = place(PARAMETERS, groups, "float64")
    trained = 8 if any(groups) else 0
    assert (len(places.slices), places.trained) == (len(groups), trained)
    assert sum(piece.stop - piece.start for piece in places.slices) == trained
    assert places.size == 72


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_parameters_and_gradients_are_views_of_two_vectors(dtype: DType) -> None:
    store = make(dtype)
    offsets = place(PARAMETERS, GROUPS, dtype).offsets
    assert [name for name, grad in store.grads.items() if grad is None] == ["table"]
    for vector, views in ((store.vector, store.params), (store.gradient, store.grads)):
        assert (vector.dtype, vector.ctypes.data % ALIGNMENT) == (np.dtype(dtype), 0)
        for name, view in views.items():
            if view is not None:
                assert view.shape == PARAMETERS[name].shape
                assert view.flags.c_contiguous
                assert view.ctypes.data == vector.ctypes.data + offsets[name] * vector.itemsize
                assert view.ctypes.data % ALIGNMENT == 0
                view[...] = offsets[name]
                assert (vector[offsets[name] : offsets[name] + view.size] == offsets[name]).all()
    kinds = {name: (array.shape, str(array.dtype)) for name, array in store.buffers.items()}
    assert kinds == {
        "n.mean": ((3,), dtype),
        "n.var": ((3,), dtype),
        "n.count": ((), "int64"),
        "on": ((2,), "bool"),
    }


@pytest.mark.parametrize("nbytes", [1, 64, 1000])
def test_aligned_memory(nbytes: int) -> None:
    memory = aligned(nbytes)
    assert (memory.size, memory.ctypes.data % ALIGNMENT, memory.any()) == (nbytes, 0, False)


def gaps(store: Store) -> Array:
    """The elements of the vector that are no parameter's."""
    mask = np.ones(store.vector.size, bool)
    start = store.vector.ctypes.data
    for view in store.params.values():
        at = (view.ctypes.data - start) // view.itemsize
        mask[at : at + view.size] = False
    return mask


def test_gaps_stay_zero() -> None:
    """An optimizer runs over them too, weight decay and momentum included."""
    net = Net(x=Spec((3, 5)))
    net.term(
        Distance(), net.chain(net["x"], Linear(out_features=3), Norm(), Gain(), Linear(out_features=5)), net["x"]
    )
    plans = Bench({"train": (net.graph, True)})
    optimization = Optimization([AdamW(lr=0.1, weight_decay=0.5)], plans.store)
    before = plans.store.vector.copy()
    plans.run("train", draw(net.graph, 0))
    for _ in range(3):
        optimization.step(plans.plans["train"])
    between = gaps(plans.store)
    assert between.sum() == 1 + 5 + 5 + 7 + 1 + 3
    assert (plans.store.vector[~between] != before[~between]).all()
    assert not plans.store.vector[between].any()
    assert not plans.store.gradient[between].any()


def test_first_values_depend_on_the_seed_alone() -> None:
    """Not on the groups, nor on the dtype but for rounding; drawn again, they are the same again."""
    wide, narrow, other = make("float64"), make("float32"), make("float64", groups=[["table"], ["a.weight"]])
    different = make("float64", seed=1)
    for name, array in wide.params.items():
        assert array.tobytes() == other.params[name].tobytes()
        np.testing.assert_array_equal(narrow.params[name], array.astype("float32"))
        assert (array != different.params[name]).all() == (name != "gain")
    assert not np.array_equal(wide.params["a.weight"][0], wide.params["a.weight"][1])
    once = wide.vector.tobytes()
    wide.vector[...] = 3
    wide.buffers["n.var"][...] = 3
    wide.initialize(np.random.default_rng(0))
    assert {name: array.tolist() for name, array in wide.buffers.items()} == {
        "n.mean": [0, 0, 0],
        "n.var": [1, 1, 1],
        "n.count": 0,
        "on": [True, True],
    }
    for name, array in wide.params.items():
        assert array.tobytes() == np.frombuffer(once)[slice(*span(wide, name))].tobytes()


def span(store: Store, name: str) -> tuple[int, int]:
    view = store.params[name]
    at = (view.ctypes.data - store.vector.ctypes.data) // view.itemsize
    return at, at + view.size


def test_first_values_of_a_linear_layer() -> None:
    """U(-k, k) with k = 1 / sqrt(in_features), weight and bias alike: bounds, mean and deviation."""
    net = Net(x=Spec((1, 100)))
    net.term(Distance(), net.chain(net["x"], Linear(out_features=400), Linear(out_features=100)), net["x"])
    store = Store(net.graph.parameters, {}, [], "float64")
    store.initialize(np.random.default_rng(3))
    for name, array in store.params.items():
        bound = 1 / math.sqrt(100 if name.startswith("0") else 400)
        assert np.abs(array).max() <= bound
        if array.ndim == 2:
            assert np.abs(array).max() > 0.999 * bound
            assert abs(array.mean()) < 0.02 * bound
            assert array.std() == pytest.approx(bound / math.sqrt(3), rel=0.02)


def test_state_dict_has_parameters_then_buffers() -> None:
    store = make()
    state = store.state_dict()
    assert [*state] == [*PARAMETERS, *BUFFERS]
    assert all(state[name] is array for name, array in (store.params | store.buffers).items())


def copy(store: Store) -> dict[str, Array]:
    return {name: array.copy() for name, array in store.state_dict().items()}


def test_what_was_saved_is_loaded() -> None:
    first, second = make(seed=1), make(seed=2)
    first.buffers["n.mean"][...] = [1, np.nan, np.inf]
    state = copy(first)
    second.load_state_dict(dict(reversed(state.items())))
    assert second.vector.tobytes() == first.vector.tobytes()
    assert {name: array.tobytes() for name, array in copy(second).items()} == {
        name: array.tobytes() for name, array in state.items()
    }
    assert all(view.base is not None for view in second.params.values()), "still views"
    state["a.weight"][...] = 7
    assert not (second.params["a.weight"] == 7).any(), "a copy was taken"


Change = Callable[[dict[str, Array]], object]
OTHER = "the checkpoint is of another model: "


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("on"), "it lacks on"),
        (lambda s: (s.pop("table"), s.pop("a.bias"), s.pop("n.count")), "it lacks a.bias, n.count, table"),
        (lambda s: s.update({"z": np.zeros(1), "c": np.zeros(1)}), "it has c, z, which the model has not"),
        (
            lambda s: s.update({"b.weights": s.pop("b.weight")}),
            "it lacks b.weight and has b.weights, which the model has not",
        ),
        (dict.clear, "it lacks a.bias, a.weight, b.weight, gain, n.count, n.mean, n.var, on, table"),
        (
            lambda s: s.update({"table": s["table"].reshape(2, 4, 3)}),
            "its table is float32 (2, 4, 3), the model's float32 (2, 3, 4)",
        ),
        (lambda s: s.update({"gain": s["gain"].reshape(1)}), "its gain is float32 (1,), the model's float32 ()"),
        (lambda s: s.update({"a.bias": s["a.bias"][:1]}), "its a.bias is float32 (1,), the model's float32 (5,)"),
        (
            lambda s: s.update({"n.mean": s["n.mean"].astype("float64")}),
            "its n.mean is float64 (3,), the model's float32 (3,)",
        ),
        (lambda s: s.update({"n.count": np.zeros((), "int32")}), "its n.count is int32 (), the model's int64 ()"),
        (lambda s: s.update({"on": np.ones(2, object)}), "its on is object (2,), the model's bool (2,)"),
    ],
)
def test_nothing_is_loaded_from_another_model(change: Change, message: str) -> None:
    store, state = make(seed=1), copy(make(seed=2))
    change(state)
    before = copy(store)
    with pytest.raises(CheckpointError) as caught:
        store.load_state_dict(state)
    assert str(caught.value) == f"error: {OTHER}{message}"
    for name, array in before.items():
        np.testing.assert_array_equal(store.state_dict()[name], array)
