"""Clipping, accumulation and the moving average against the same loop in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is not installed: pip install --group torch")

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from declnet.core.random import generator
from declnet.runner import checkpoint
from declnet.runner.experiment import load
from declnet.runner.model import Model
from declnet.runner.rows import Rows
from twins.compare import close, hand_over

if TYPE_CHECKING:
    from conftest import Trained

pytestmark = pytest.mark.torch

TEXT = """\
name: net
dtype: float64
data: {source: Digits, split: {train: 0.2, val: 0.1, test: 0}}
model:
  - {type: Linear, out_features: 12, freeze: true}
  - BatchNorm1d
  - Tanh
  - {type: Linear, out_features: 10}
loss: CrossEntropyLoss
optimizer: {type: SGD, lr: 0.2, momentum: 0.9}
loop: {epochs: 3, batch_size: 32, shuffle: false}
"""
EPOCHS = 3
CASES: dict[str, dict[str, float]] = {
    "nothing": {},
    "norm": {"clip_norm": 0.05},
    "norm, sometimes reached": {"clip_norm": 0.3},
    "norm, never reached": {"clip_norm": 1e3},
    "value": {"clip_value": 0.003},
    "accumulation": {"accumulate": 5},
    "average": {"ema": 0.9},
    "average of little memory": {"ema": 0.3},
    "average that stands still": {"ema": 1.0},
    "all": {"clip_norm": 0.05, "accumulate": 3, "ema": 0.95},
}


def twin_of(path: Path) -> tuple[nn.Module, tuple[torch.Tensor, torch.Tensor]]:
    """The same network with the same first values, and the training rows."""
    experiment = load(path)
    rows = Rows(experiment)
    model = Model(experiment, rows.sizes(), np.random.default_rng(0))
    model.store.initialize(generator(experiment.config.seed, "initialize"))
    twin = nn.Sequential(nn.Linear(64, 12), nn.BatchNorm1d(12), nn.Tanh(), nn.Linear(12, 10))
    hand_over(model, twin)
    twin[0].requires_grad_(False)
    return twin, fields(rows, "train")


def fields(rows: Rows, split: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The rows of a split as PyTorch has them: what batches convert is converted."""
    x, y = (next(rows.blocks(name, rows.splits[split])) for name in ("x", "y"))
    return torch.from_numpy(x.astype("float64")), torch.from_numpy(y.astype("int64"))


@pytest.mark.parametrize("case", CASES)
def test_the_same_numbers(fit: Callable[..., Trained], case: str) -> None:
    settings = CASES[case]
    norms: list[float] = []
    trained = fit(TEXT, *(f"loop.{key}={value}" for key, value in settings.items()))
    twin, (x, y) = twin_of(Path("c.yaml"))
    optimizer = torch.optim.SGD(twin.parameters(), lr=0.2, momentum=0.9)
    average = AveragedModel(twin, multi_avg_fn=get_ema_multi_avg_fn(settings.get("ema", 0.0)))
    size = 32 * int(settings.get("accumulate", 1))
    for _ in range(EPOCHS):
        for group in zip(x.split(size), y.split(size), strict=True):
            optimizer.zero_grad()
            for inputs, targets in zip(*(part.split(32) for part in group), strict=True):
                loss = nn.functional.cross_entropy(twin(inputs), targets)
                (loss * len(inputs) / len(group[0])).backward()
            if "clip_norm" in settings:
                norms.append(float(nn.utils.clip_grad_norm_(twin.parameters(), settings["clip_norm"])))
            if "clip_value" in settings:
                nn.utils.clip_grad_value_(twin.parameters(), settings["clip_value"])
            optimizer.step()
            average.update_parameters(twin)
    if norms:
        share = np.mean([norm > settings["clip_norm"] for norm in norms])
        wanted = {"norm": share == 1, "norm, sometimes reached": 0 < share < 1, "norm, never reached": share == 0}
        assert wanted.get(case, share == 1), f"choose other settings: {norms}"
    arrays, _ = checkpoint.load(trained.path / "checkpoints" / "last.npz")
    for name, tensor in twin.state_dict().items():
        close(name, arrays[f"model/{name}"], tensor, 1e-10)
    if "ema" in settings:
        averaged = dict(average.module.named_parameters())
        ours = checkpoint.part(arrays, "ema/")
        assert ours.keys() == {name for name, tensor in averaged.items() if tensor.requires_grad}
        for name, array in ours.items():
            close(name, array, averaged[name], 1e-10)
        best = trained.arrays("best.npz")
        assert trained.summary["best_epoch"] == EPOCHS or case != "average"
        if trained.summary["best_epoch"] == EPOCHS:
            for name, tensor in average.module.state_dict().items():
                close(name, best[name], tensor, 1e-10)
        average.eval()
        shown = trained.records[-1]["val_loss"]
        experiment = load("c.yaml")
        rows = Rows(experiment)
        inputs, targets = fields(rows, "val")
        assert shown == pytest.approx(nn.functional.cross_entropy(average(inputs), targets).item(), rel=1e-9)


@pytest.mark.parametrize("setting", ["loop.clip_norm=0.3", "loop.clip_value=0.01"])
def test_in_single_precision(fit: Callable[..., Trained], setting: str) -> None:
    single = fit(TEXT, "dtype=float32", "loop.epochs=1", setting)
    double = fit(TEXT, "loop.epochs=1", setting, to="double")
    for name, array in single.arrays("last.npz").items():
        assert array.dtype.kind == "i" or array.dtype == np.float32
        np.testing.assert_allclose(array, double.arrays("last.npz")[name], rtol=2e-4, atol=2e-5)
