"""Tiny runs of the real command, for the tests of what shows runs."""

from __future__ import annotations

import json
import os
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conftest import Command

CONFIG = """\
name: tiny
data:
  source: {type: CSV, path: t.csv}
  inputs: [a, b]
  targets: {y: {columns: c, dtype: int64}}
model:
  - {type: Linear, out_features: 3}
  - {type: ReLU, name: act}
  - {type: Linear, out_features: 2}
loss: CrossEntropyLoss
optimizer: {type: SGD, lr: 0.01}
loop: {epochs: 3, batch_size: 8, metrics: [accuracy], checkpoint_every: 1}
"""
DAY = datetime(2025, 3, 1, 12, tzinfo=UTC).timestamp()
SEEN = {"TZ": "UTC"}
"""The environment in which dates are the same everywhere."""


def prepare(folder: Path) -> None:
    """A config and its data."""
    (folder / "tiny.yaml").write_text(CONFIG, encoding="utf-8")
    rows = "".join(f"{i / 20},{1 - i / 20},{i % 2}\n" for i in range(20))
    (folder / "t.csv").write_text(f"a,b,c\n{rows}", encoding="utf-8")


def train(command: Command, *settings: str) -> None:
    done = command("train", "tiny.yaml", "-q", *settings)
    assert (done.rc, done.stderr) == (0, "")


def stop(command: Command, *settings: str) -> None:
    """Train, and interrupt after some epochs."""
    process = command.start("train", "tiny.yaml", "loop.epochs=1000000", *settings)
    assert process.stderr is not None
    for _ in range(4):
        process.stderr.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130


def dated(run: Path, hours: int) -> str:
    """Give a run its start, so many hours after a fixed one; how it is shown."""
    at = DAY + 3600 * hours
    os.utime(run / "config.yaml", (at, at))
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


def summary(run: Path) -> dict[str, Any]:
    found = json.loads((run / "summary.json").read_text("utf-8"))
    assert isinstance(found, dict)
    return found


def records(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]


def best(run: Path) -> dict[str, Any]:
    """The line of the best epoch."""
    return min(records(run), key=lambda record: float(record["val_loss"]))


def everything(folder: Path) -> dict[str, tuple[int, int]]:
    """All files and folders, with what changes when one is written to."""
    found = {}
    for path in folder.rglob("*"):
        state = path.lstat()
        found[str(path)] = (state.st_mtime_ns, state.st_size)
    return found
