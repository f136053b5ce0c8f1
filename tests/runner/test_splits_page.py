"""Every config of docs/splits.md says what it shows: it trains, and leaves the files that the page lists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import declnet

PAGE = Path(__file__).parents[2] / "docs" / "splits.md"
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)

BASE: dict[str, Any] = {
    "name": "penguins",
    "data": {
        "source": {"type": "CSV", "path": "train.csv"},
        "inputs": ["length", "depth"],
        "targets": {"y": {"columns": "species", "dtype": "int64"}},
    },
    "model": [{"type": "Linear", "out_features": 3}],
    "loss": "CrossEntropyLoss",
    "optimizer": "SGD",
    "loop": {"epochs": 1, "metrics": ["accuracy"]},
}


def table(name: str, rows: int) -> None:
    rng = np.random.default_rng(rows)
    species = np.arange(rows) % 3
    columns = {"length": rng.normal(size=rows), "depth": rng.normal(species), "species": species}
    columns["island"] = np.arange(rows) // 4
    lines = (",".join(map(str, row)) for row in zip(*columns.values(), strict=True))
    Path(name).write_text("\n".join([",".join(columns), *lines]), encoding="utf-8")


def test_there_are_blocks() -> None:
    assert len(BLOCKS) == PAGE.read_text(encoding="utf-8").count("```yaml") == 7


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_a_block(folder: Path, number: int) -> None:
    table("train.csv", 120)
    table("test.csv", 33)
    said = yaml.safe_load(BLOCKS[number])
    config = BASE | {key: BASE[key] | value for key, value in said.items()}
    run = declnet.train(config)
    assert run.summary is not None
    loop = config["loop"]
    if "folds" in loop and "fold" not in loop:
        assert isinstance(run, declnet.CrossValidation)
        assert {path.name for path in run.path.iterdir()} == {
            *("config.yaml", "summary.json"),
            *(f"fold-{number}" for number in range(1, loop["folds"] + 1)),
        }
        assert {*run.summary} >= {"folds", "mean", "std", "pooled"}
        listed = re.search(r"fold-1/ .*?: (.*)", PAGE.read_text(encoding="utf-8"))
        assert listed is not None
        assert {path.name for path in run.folds[0].path.iterdir()} == {
            name.rstrip("/") for name in listed[1].split(", ")
        }
        return
    rows = run.summary["rows"]
    assert isinstance(rows, dict)
    split = config["data"].get("split", {})
    if isinstance(split.get("test"), dict):
        assert rows == {"train": 108, "val": 12, "test": 33}
    elif "fold" in loop:
        assert rows == {"train": 86, "val": 10, "test": 24}
    else:
        assert sum(rows.values()) == 120
        for part in ("val", "test"):
            assert abs(rows[part] - 120 * split.get(part, 0.1)) <= 2
