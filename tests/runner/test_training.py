"""Training equals the plain loop one would write: in NumPy always, in PyTorch where it is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from declnet.core.random import generator
from declnet.data import splits
from declnet.data.sources.digits import Digits

if TYPE_CHECKING:
    from conftest import Arrays, Trained

TEXT = """\
name: mlp
data: {source: Digits, split: {train: 0.3, val: 0.1, test: 0.05}}
model: [{type: Linear, out_features: 16}, ReLU, {type: Linear, out_features: 10}]
loss: CrossEntropyLoss
optimizer: {type: SGD, lr: 0.1, momentum: 0.9, weight_decay: 1e-3}
loop: {epochs: 3, batch_size: 50, shuffle: false, metrics: [accuracy]}
"""
ROWS = {"train": 539, "val": 180, "test": 90}
"""The ends of the shares of 1797 rows, rounded: 539, 719, 809."""
ADAMW = "optimizer={type: AdamW, lr: 3e-3, weight_decay: 0.1}"
SEED = 0


def rows_of() -> dict[str, tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    """Images and labels of each split."""
    source = Digits().read(["image", "label"])
    pieces = splits.at_random(1797, [0.3, 0.1, 0.05], generator(SEED, "split"))
    return {name: (source["image"][rows], source["label"][rows]) for name, rows in zip(ROWS, pieces, strict=True)}


def batches(count: int, size: int, *, drop_last: bool = False) -> Iterator[slice]:
    for start in range(0, count, size):
        if start + size <= count or not drop_last:
            yield slice(start, min(start + size, count))


class Loop:
    """The loop in NumPy: two layers, cross entropy, SGD with momentum; float64."""

    def __init__(self, state: Arrays) -> None:
        self.state = {name: array.astype(np.float64) for name, array in state.items()}
        self.momentum: Arrays = {}

    def forward(self, x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> tuple[float, float, Arrays]:
        """Mean loss, share of right answers, gradients."""
        w0, b0, w2, b2 = (self.state[name] for name in ("0.weight", "0.bias", "2.weight", "2.bias"))
        hidden = x @ w0.T + b0
        active = np.where(hidden > 0, hidden, 0)
        logits = active @ w2.T + b2
        exp = np.exp(logits - logits.max(axis=1, keepdims=True))
        softmax = exp / exp.sum(axis=1, keepdims=True)
        rows = np.arange(len(y))
        loss = -np.log(softmax[rows, y]).mean()
        softmax[rows, y] -= 1
        grad = softmax / len(y)
        grad_hidden = (grad @ w2) * (hidden > 0)
        grads = {"0.weight": grad_hidden.T @ x, "0.bias": grad_hidden.sum(axis=0)}
        grads |= {"2.weight": grad.T @ active, "2.bias": grad.sum(axis=0)}
        return float(loss), float((logits.argmax(axis=1) == y).mean()), grads

    def step(self, grads: Arrays) -> None:
        for name, param in self.state.items():
            grad = grads[name] + 1e-3 * param
            buffer = self.momentum[name] = 0.9 * self.momentum[name] + grad if name in self.momentum else grad
            np.subtract(param, 0.1 * buffer, out=param)


def initial(fit: Callable[..., Trained], *overrides: str) -> Arrays:
    """The first parameters: those of a run that learns nothing."""
    return fit(TEXT, *overrides, "optimizer=SGD", "optimizer.lr=0", "loop.epochs=1", to="initial").arrays(
        "last.npz"
    )


@pytest.mark.parametrize(
    ("batch_size", "drop_last"), [(50, False), (50, True), (77, True), (10_000, False), (539, True)]
)
def test_equals_a_loop_in_numpy(fit: Callable[..., Trained], batch_size: int, drop_last: bool) -> None:
    settings = ["dtype=float64", f"loop.batch_size={batch_size}", f"loop.drop_last={str(drop_last).lower()}"]
    loop = Loop(initial(fit, *settings))
    trained = fit(TEXT, *settings)
    rows = rows_of()
    assert {name: len(labels) for name, (_, labels) in rows.items()} == ROWS
    steps = 0
    for record in trained.records:
        total = seen = 0.0
        x, y = rows["train"]
        for part in batches(len(y), batch_size, drop_last=drop_last):
            loss, _, grads = loop.forward(x[part], y[part])
            loop.step(grads)
            total, seen, steps = total + loss * len(y[part]), seen + len(y[part]), steps + 1
        assert record["train_loss"] == pytest.approx(total / seen, rel=1e-9)
        loss, accuracy, _ = loop.forward(*rows["val"])
        assert record["val_loss"] == pytest.approx(loss, rel=1e-9)
        assert record["val_accuracy"] == pytest.approx(accuracy, rel=1e-12)
    assert trained.summary["steps"] == steps
    assert trained.summary["rows"] == ROWS
    for name, array in trained.arrays("last.npz").items():
        np.testing.assert_allclose(array, loop.state[name], rtol=0, atol=1e-9)
    loss, accuracy, _ = loop.forward(*rows["test"])
    assert trained.summary["best_epoch"] == 3  # so the figures of the test rows are those of the last parameters
    assert trained.summary["test"] == pytest.approx({"loss": loss, "accuracy": accuracy}, rel=1e-9)


def test_shuffling_draws_a_new_order_each_epoch(fit: Callable[..., Trained]) -> None:
    settings = ["dtype=float64", "loop.shuffle=true"]
    loop = Loop(initial(fit, *settings))
    trained = fit(TEXT, *settings)
    x, y = rows_of()["train"]
    order = generator(SEED, "shuffle")
    for _ in range(3):
        drawn = order.permutation(len(y))
        for part in batches(len(y), 50):
            loop.step(loop.forward(x[drawn[part]], y[drawn[part]])[2])
    for name, array in trained.arrays("last.npz").items():
        np.testing.assert_allclose(array, loop.state[name], rtol=0, atol=1e-9)


@pytest.mark.torch
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-9)])
@pytest.mark.parametrize("optimizer", ["SGD", "AdamW"])
def test_equals_pytorch(fit: Callable[..., Trained], optimizer: str, dtype: str, tolerance: float) -> None:
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    settings = [f"dtype={dtype}", *([ADAMW] if optimizer == "AdamW" else [])]
    start = initial(fit, f"dtype={dtype}")
    trained = fit(TEXT, *settings)
    model = torch.nn.Sequential(torch.nn.Linear(64, 16), torch.nn.ReLU(), torch.nn.Linear(16, 10))
    model = model.to(getattr(torch, dtype))
    model.load_state_dict({name: torch.tensor(array) for name, array in start.items()})
    arguments: dict[str, float] = {"lr": 3e-3, "weight_decay": 0.1}
    if optimizer == "SGD":
        arguments = {"lr": 0.1, "momentum": 0.9, "weight_decay": 1e-3}
    stepper = getattr(torch.optim, optimizer)(model.parameters(), **arguments)
    criterion = torch.nn.CrossEntropyLoss()
    images, labels = rows_of()["train"]
    x, y = torch.tensor(images, dtype=getattr(torch, dtype)), torch.tensor(labels)
    for record in trained.records:
        total = 0.0
        for part in batches(len(y), 50):
            stepper.zero_grad()
            loss = criterion(model(x[part]), y[part])
            loss.backward()
            stepper.step()
            total += loss.item() * len(y[part])
        assert record["train_loss"] == pytest.approx(total / len(y), abs=tolerance)
    state = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    found = trained.arrays("last.npz")
    assert list(found) == list(state)
    for name, array in found.items():
        assert array.dtype == state[name].dtype
        np.testing.assert_allclose(array, state[name], rtol=0, atol=tolerance)
