"""Whole runs with a scheduler, against the loop that one would write in PyTorch: the same rates in each epoch, and
the same parameters in the end, for every scheduler, what it counts, and every optimizer.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is not installed: pip install --group torch")

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name
from torch.optim import lr_scheduler

from declnet.core.random import generator
from declnet.runner import checkpoint
from declnet.runner.experiment import load
from declnet.runner.model import Model
from declnet.runner.rows import Rows
from declnet.runner.train import train
from twins.compare import close, hand_over

pytestmark = pytest.mark.torch

Make = Callable[[torch.optim.Optimizer], Any]

EPOCHS, STEPS = 13, 4
TOTAL = EPOCHS * STEPS
TEXT = f"""\
name: run
dtype: float64
data:
  source: {{type: CSV, path: t.csv}}
  inputs: [a, b, c]
  targets: {{y: [d, e]}}
  split: {{train: 1.0, val: 0.0, test: 0.0}}
model: [{{type: Linear, out_features: 4}}, Tanh, {{type: Linear, out_features: 2}}]
loss: MSELoss
loop: {{epochs: {EPOCHS}, batch_size: 5, shuffle: false}}
"""
GROUPS = "groups: [{match: '*.bias', lr: 0.002}]"


def warmed(make: Make, periods: int, start: float = 1 / 3) -> Make:
    """A linear warm-up, then the scheduler."""

    def both(optimizer: torch.optim.Optimizer) -> Any:
        first = lr_scheduler.LinearLR(optimizer, start_factor=start, total_iters=periods)
        return lr_scheduler.SequentialLR(optimizer, [first, make(optimizer)], [periods])

    return both


ON_SGD: dict[str, Make] = {
    "{type: StepLR, step_size: 3, gamma: 0.5}": lambda o: lr_scheduler.StepLR(o, 3, 0.5),
    "{type: MultiStepLR, milestones: [2, 5, 11]}": lambda o: lr_scheduler.MultiStepLR(o, [2, 5, 11]),
    "{type: ExponentialLR, gamma: 0.9}": lambda o: lr_scheduler.ExponentialLR(o, 0.9),
    "LinearLR": lr_scheduler.LinearLR,
    "{type: PolynomialLR, total_iters: 9, power: 2}": lambda o: lr_scheduler.PolynomialLR(o, 9, 2),
    "{type: CosineAnnealingLR, T_max: 6, eta_min: 1e-3}": lambda o: lr_scheduler.CosineAnnealingLR(o, 6, 1e-3),
    "{type: CosineAnnealingWarmRestarts, T_0: 3, T_mult: 2}": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(
        o, 3, 2
    ),
    "{type: StepLR, step_size: 2, gamma: 0.5, warmup: 4}": warmed(lambda o: lr_scheduler.StepLR(o, 2, 0.5), 4),
    "{type: CosineAnnealingLR, T_max: 6, warmup: 3, warmup_start: 0.01}": warmed(
        lambda o: lr_scheduler.CosineAnnealingLR(o, 6), 3, 0.01
    ),
    "{type: OneCycleLR, max_lr: 0.3, total_steps: 60, warmup: 3}": warmed(
        lambda o: lr_scheduler.OneCycleLR(o, 0.3, total_steps=60), 3
    ),
}
PLATEAU = "{type: ReduceLROnPlateau, patience: 0, threshold: 0.2, factor: 0.5, cooldown: 1}"
COSINE = "{type: CosineAnnealingLR, interval: step}"
CYCLE = "{type: OneCycleLR, max_lr: [0.1, 0.05]}"


def cosine(optimizer: torch.optim.Optimizer) -> Any:
    return lr_scheduler.CosineAnnealingLR(optimizer, TOTAL)


def cycle(optimizer: torch.optim.Optimizer) -> Any:
    return lr_scheduler.OneCycleLR(optimizer, [0.1, 0.05], total_steps=TOTAL)


CASES: list[tuple[str, str, Make]] = [
    *(("SGD", text, make) for text, make in ON_SGD.items()),
    *(("SGD", text[:-1] + ", interval: step}", make) for text, make in ON_SGD.items() if text != "LinearLR"),
    ("SGD", "{type: LinearLR, interval: step}", lr_scheduler.LinearLR),
    (
        "SGD",
        PLATEAU,
        lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=0, threshold=0.2, factor=0.5, cooldown=1),
    ),
    (
        "SGD",
        "{type: OneCycleLR, max_lr: 0.3, interval: epoch}",
        lambda o: lr_scheduler.OneCycleLR(o, 0.3, total_steps=EPOCHS),
    ),
    (
        "SGD",
        "{type: CosineAnnealingLR, warmup: 4}",
        warmed(lambda o: lr_scheduler.CosineAnnealingLR(o, EPOCHS - 4), 4),
    ),
    *((name, CYCLE, cycle) for name in ("SGD", "Adam", "AdamW", "RMSprop", "NAdam", "RAdam", "Adamax")),
    *((name, COSINE, cosine) for name in ("Adagrad", "Adadelta")),
    ("LBFGS", COSINE, lambda o: lr_scheduler.CosineAnnealingLR(o, EPOCHS)),
    ("LBFGS", "{type: StepLR, step_size: 3}", lambda o: lr_scheduler.StepLR(o, 3)),
    (
        "RMSprop",
        "{type: OneCycleLR, max_lr: 0.1, base_momentum: 0, pct_start: 0.5}",
        lambda o: lr_scheduler.OneCycleLR(o, 0.1, total_steps=TOTAL, base_momentum=0, pct_start=0.5),
    ),
    (
        "SGD",
        "{type: OneCycleLR, max_lr: 0.1, base_momentum: 0, pct_start: 0.5}",
        lambda o: lr_scheduler.OneCycleLR(o, 0.1, total_steps=TOTAL, base_momentum=0, pct_start=0.5),
    ),
]


@pytest.fixture
def rows(folder: Path) -> tuple[Tensor, Tensor]:
    """Inputs and targets, which are a table in the current folder too."""
    values = np.random.default_rng(0).normal(size=(5 * STEPS - 1, 5))
    lines = ["a,b,c,d,e", *(",".join(map(repr, row)) for row in values.tolist())]
    Path("t.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    x, y = torch.from_numpy(values).split([3, 2], dim=1)
    return x, y


def taught(twin: nn.Module, optimizer: torch.optim.Optimizer, scheduler: Any, batches: Any, *, each: bool) -> Any:
    """The loop: the scheduler steps after `each` step, or after the epoch. The rates at the end of each epoch."""
    watching, rates = isinstance(scheduler, lr_scheduler.ReduceLROnPlateau), []
    for _ in range(EPOCHS):
        losses = []
        for x, y in batches:

            def closure(x: Tensor = x, y: Tensor = y) -> Tensor:
                optimizer.zero_grad()
                loss = F.mse_loss(twin(x), y)
                loss.backward()
                return loss

            losses += [optimizer.step(closure).item()] * len(x)
            rate = optimizer.param_groups[0]["lr"]
            if each:
                scheduler.step()
        rates.append(rate)
        if not each:
            scheduler.step(*([np.mean(losses)] if watching else []))
    return rates


@pytest.mark.parametrize(
    ("name", "text", "make"), [pytest.param(*case, id=f"{case[0]}-{case[1]}") for case in CASES]
)
def test_a_run(rows: tuple[Tensor, Tensor], name: str, text: str, make: Make) -> None:
    grouped = f", {GROUPS}" if name != "LBFGS" else ""
    settings = f"optimizer: {{type: {name}, lr: 0.02{grouped}}}\nscheduler: {text}\n"
    Path("c.yaml").write_text(TEXT + settings, encoding="utf-8")
    # LBFGS, from batch to batch, goes anywhere: the last bit decides.
    size = 5 if grouped else len(rows[0])
    experiment = load("c.yaml", [f"loop.batch_size={size}"], strict=True)
    model = Model(experiment, Rows(experiment).sizes(), np.random.default_rng(0))
    model.store.initialize(generator(experiment.config.seed, "initialize"))
    twin = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    hand_over(model, twin)
    named = list(twin.named_parameters())
    groups: list[dict[str, Any]] = [{"params": [p for name, p in named if not grouped or "bias" not in name]}]
    groups += [{"params": [p for name, p in named if "bias" in name], "lr": 0.002}] if grouped else []
    optimizer: torch.optim.Optimizer = getattr(torch.optim, name)(groups, lr=0.02)
    assert experiment.config.scheduler is not None
    each = experiment.config.scheduler.interval == "step"
    batches = list(zip(*(tensor.split(size) for tensor in rows), strict=True))
    rates = taught(twin, optimizer, make(optimizer), batches, each=each)
    list(train(experiment, Path("r")))
    records = [json.loads(line) for line in Path("r/metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    np.testing.assert_allclose([record["lr"] for record in records], rates, rtol=1e-12)
    assert len(set(rates)) > 1
    arrays, _ = checkpoint.load(Path("r/checkpoints/last.npz"))
    for key, parameter in named:
        close(key, arrays[f"model/{key}"], parameter, 1e-9)
