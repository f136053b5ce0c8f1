"""Runs that are stopped at a step and gone on with, and whether two runs have come to the same."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from declnet.core.registry import optimizers
from declnet.errors import Interrupted
from declnet.runner import resumption
from declnet.runner.events import Event, Stepped
from declnet.runner.experiment import load
from declnet.runner.train import resume, train

TEXT = """\
name: net
seed: 3
data: {source: Digits, split: {train: 0.2, val: 0.1, test: 0.05}}
model:
  - {type: Linear, out_features: 12}
  - BatchNorm1d
  - ReLU
  - {type: Dropout, p: 0.3}
  - {type: Linear, out_features: 10}
loss: CrossEntropyLoss
optimizer: AdamW
loop: {epochs: 4, batch_size: 32, metrics: [accuracy]}
"""
"""359 rows: eleven batches of 32, and one of 7."""
STEPS = 12

SETTINGS = {
    "SGD": "{type: SGD, lr: 0.1, momentum: 0.9, nesterov: true, weight_decay: 1e-3}",
    "Adam": "{type: Adam, amsgrad: true}",
    "RMSprop": "{type: RMSprop, momentum: 0.5, centered: true}",
    "LBFGS": "{type: LBFGS, lr: 0.1, max_iter: 3, history_size: 4}",
}
"""Those whose defaults leave out a part of the state, or take long."""
OPTIMIZERS = {name: SETTINGS.get(name, name) for name in optimizers.own()}


Stop = tuple[int, int]
"""An epoch, and a step of it."""

CHECKPOINTS = ("last.npz", "best.npz")


def started(*overrides: str, to: str = "r", stop: Stop | None = None) -> list[Event]:
    """Train c.yaml, and stop after a step. REPORT_EVERY must be below 0: the signal is sent a step before."""
    return _stopped(train(load("c.yaml", overrides), Path(to)), stop)


def continued(*overrides: str, to: str = "r", stop: Stop | None = None) -> list[Event]:
    """Go on, and stop after a step."""
    return _stopped(resume(resumption.load(Path(to), overrides), Path(to)), stop)


def _stopped(events: Iterator[Event], stop: Stop | None) -> list[Event]:
    if stop is None:
        return list(events)
    epoch, step = stop
    seen: list[Event] = []

    def watch() -> None:
        for event in events:
            seen.append(event)
            if isinstance(event, Stepped) and (event.epoch, event.step) == (epoch, step - 1):
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted, match=f"stopped by a signal at epoch {epoch}, step {step};"):
        watch()
    return seen


def lines(run: str) -> list[dict[str, Any]]:
    """metrics.jsonl, without what no two runs share."""
    text = Path(run, "metrics.jsonl").read_text(encoding="utf-8")
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in text.splitlines()]


def summary(run: str) -> dict[str, Any]:
    """summary.json, without what no two runs share."""
    found = json.loads(Path(run, "summary.json").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    last = {key: value for key, value in found["last"].items() if key != "seconds"}
    return {key: value for key, value in found.items() if key not in ("seconds", "run_dir")} | {"last": last}


def same(one: str, other: str) -> None:
    """Both runs have left the same, bit for bit."""
    assert lines(one) == lines(other)
    assert summary(one) == summary(other)
    for name in CHECKPOINTS:
        first, second = (Path(run, "checkpoints", name).read_bytes() for run in (one, other))
        assert first == second, name
    assert [p.name for p in sorted(Path(other, "checkpoints").iterdir())] == sorted(CHECKPOINTS)
    assert Path(one, "config.yaml").read_bytes() == Path(other, "config.yaml").read_bytes()


def contents(run: str) -> dict[str, tuple[int, bytes]]:
    """All files with their times."""
    files = (path for path in Path(run).rglob("*") if path.is_file())
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}
