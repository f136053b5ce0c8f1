"""A table of three classes in groups, and a config that trains on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from declnet.core.spec import Array
from declnet.runner.experiment import load
from declnet.runner.rows import Rows

TEXT = """\
name: net
seed: 5
data:
  source: {type: CSV, path: t.csv}
  inputs: [a, b]
  targets: {y: {columns: kind, dtype: int64}}
model:
  - {type: Linear, out_features: 6}
  - ReLU
  - {type: Dropout, p: 0.2}
  - {type: Linear, out_features: 3}
loss: CrossEntropyLoss
optimizer: {type: AdamW, lr: 0.02}
loop: {epochs: 3, batch_size: 16, metrics: [accuracy]}
"""

ROWS = 120


def table(
    name: str, rows: int = ROWS, seed: int = 0, classes: tuple[float, ...] = (0.6, 0.3, 0.1)
) -> dict[str, Array]:
    """Write a table, `kind` a class of unequal shares and `who` a group of up to nine rows; its columns."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(len(classes), rows, p=classes)
    who = np.sort(rng.integers(0, rows // 5 + 1, rows))
    columns: dict[str, Any] = {"a": rng.normal(kind), "b": rng.normal(-kind), "kind": kind, "who": who}
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    Path(name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return columns


def prepare() -> dict[str, Array]:
    """t.csv and c.yaml in the current folder."""
    Path("c.yaml").write_text(TEXT, encoding="utf-8")
    return table("t.csv")


def rows_of(*overrides: str, training: bool = True) -> dict[str, Array]:
    """The rows of each split of c.yaml."""
    return Rows(load("c.yaml", overrides), training=training).splits
