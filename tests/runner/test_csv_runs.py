"""Whole runs on a table of one's own: regression, classification, and rows that are wrong."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from declnet.config.document import Document
from declnet.config.yaml import loads
from declnet.errors import ConfigError, DataError
from declnet.runner.experiment import load
from declnet.runner.train import train

if TYPE_CHECKING:
    from conftest import Trained

REGRESSION = """\
name: line
data: {source: {type: CSV, path: sub/t.csv}, inputs: [a, b], targets: [c], split: {train: 0.8, val: 0.1, test: 0.1}}
model: [{type: Linear, out_features: 1}]
loss: MSELoss
optimizer: {type: Adam, lr: 0.1}
loop: {epochs: 150, batch_size: 7}
"""
CLASSES = """\
data: {source: {type: CSV, path: sub/t.csv}, inputs: [a, b], targets: {y: {columns: c, dtype: int64}}}
model: [{type: Linear, out_features: 2}]
loss: CrossEntropyLoss
optimizer: {type: Adam, lr: 0.1}
loop: {epochs: 60, metrics: [accuracy]}
"""
ROWS = 60


def write(columns: Callable[[int], tuple[object, ...]], rows: int = ROWS) -> None:
    Path("sub").mkdir(exist_ok=True)
    lines = [",".join(map(str, columns(row))) for row in range(rows)]
    Path("sub/t.csv").write_text("\n".join(["a,b,c", *lines, ""]), encoding="utf-8")


def test_regression_finds_the_plane(fit: Callable[..., Trained]) -> None:
    write(lambda n: (n % 7 / 7, n % 5 / 5, 2 * (n % 7) / 7 - 3 * (n % 5) / 5 + 0.5))
    trained = fit(REGRESSION, "dtype=float64")
    assert trained.summary["rows"] == {"train": 48, "val": 6, "test": 6}
    assert trained.summary["test"]["loss"] < 1e-3
    arrays = trained.arrays("best.npz")
    assert arrays["0.weight"].dtype == np.float64
    np.testing.assert_allclose(arrays["0.weight"], [[2, -3]], atol=0.1)
    np.testing.assert_allclose(arrays["0.bias"], [0.5], atol=0.1)


def test_classification_learns_the_rule(fit: Callable[..., Trained]) -> None:
    write(lambda n: (n % 7 - 3, n % 5 - 2, int(n % 7 - 3 > 0)))
    trained = fit(CLASSES)
    assert trained.summary["test"]["accuracy"] == 1
    assert list(trained.records[0]) == ["epoch", "train_loss", "val_loss", "val_accuracy", "lr", "seconds"]


def document(path: Path) -> Document:
    return loads(path.read_text(encoding="utf-8"), "f")


@pytest.mark.parametrize(
    "linked",
    [False, True],
)
def test_the_written_config_finds_the_table_again(fit: Callable[..., Trained], linked: bool) -> None:
    write(lambda n: (n, n % 5, n % 3))
    if linked:
        Path("elsewhere/on/another/disk").mkdir(parents=True)
        Path("runs").symlink_to("elsewhere/on/another/disk")
    first = fit(REGRESSION, "loop.epochs=2", to="runs/one")
    list(train(load("runs/one/config.yaml"), Path("again")))
    assert (Path("again/checkpoints/last.npz")).read_bytes() == (first.path / "checkpoints/last.npz").read_bytes()
    paths = [document(Path(name) / "config.yaml").data["data"]["source"]["path"] for name in ("runs/one", "again")]
    assert linked or paths == ["../../sub/t.csv", "../sub/t.csv"]


def test_a_run_directory_can_be_moved_with_its_table(fit: Callable[..., Trained]) -> None:
    write(lambda n: (n, n % 5, n % 3))
    fit(REGRESSION, "loop.epochs=1", to="runs/one")
    Path("moved").mkdir()
    for name in ("runs", "sub"):
        shutil.move(name, f"moved/{name}")
    assert load("moved/runs/one/config.yaml").config.data.split.train == 0.8


@pytest.mark.parametrize(
    ("text", "cell", "settings", "message"),
    [
        (
            CLASSES,
            "2",
            [],
            "sub/t.csv:5:5: error: the class 2 does not exist: the model's output has 2, 0 to 1\n"
            "    3,3,2\n        ^",
        ),
        (
            CLASSES,
            "-1",
            [],
            "sub/t.csv:5:5: error: the class -1 does not exist: the model's output has 2, 0 to 1\n"
            "    3,3,-1\n        ^",
        ),
        (
            CLASSES,
            "0.5",
            [],
            "sub/t.csv:5:5: error: column 'c' is to hold integers (dtype: int64), but this is 0.5\n"
            "    3,3,0.5\n        ^",
        ),
        (
            REGRESSION,
            "x",
            [],
            "sub/t.csv:5:5: error: column 'c': 'x' is not a number"
            "; the transforms Category, OneHot and ClassLabels take texts\n    3,3,x\n        ^",
        ),
        (
            REGRESSION,
            "",
            [],
            "sub/t.csv:5:5: error: column 'c': missing value"
            "; the transform Impute fills in what the source lists under missing\n    3,3,\n        ^",
        ),
        (
            REGRESSION,
            "1",
            ["data.split={train: 0.98, val: 0.001, test: 0}"],
            "c.yaml:2:16: error: data.source: the source has 60 rows, too few for a val share of 0.001\n"
            "    data: {source: {type: CSV, path: sub/t.csv}, inputs: [a, b], targets: [c], "
            "split: {train: 0.8, val: 0.1, test: 0.1}}\n"
            "                   ^",
        ),
        (
            REGRESSION,
            "1",
            ["loop.drop_last=true", "loop.batch_size=49"],
            "error: the 48 training rows do not fill a batch of 49, and loop.drop_last leaves out what does not: "
            "lower loop.batch_size",
        ),
        pytest.param(
            REGRESSION,
            "1e39",
            [],
            "sub/t.csv:5:5: error: column 'c': 1e+39 is too large for float32; dtype: float64 can hold it\n"
            "    3,3,1e39\n        ^",
        ),
    ],
)
def test_rows_that_are_wrong_end_it_before_there_is_a_directory(
    fit: Callable[..., Trained], text: str, cell: str, settings: list[str], message: str
) -> None:
    write(lambda n: (n, n % 5, cell if n == 3 else n % 2))
    with pytest.raises(DataError) as caught:
        fit(text, *settings)
    assert str(caught.value) == message
    assert caught.value.exit_code == 3
    assert sorted(path.name for path in Path().iterdir()) == ["c.yaml", "sub"]


def test_a_test_loss_that_is_no_number(fit: Callable[..., Trained]) -> None:
    write(lambda n: (n % 7, n % 5, n % 3))
    trained = fit(REGRESSION, "loop.epochs=1")
    lines = Path("sub/t.csv").read_text(encoding="utf-8").splitlines()
    first = int(trained_on(trained)["test"][0])
    lines[1 + first] = "1e30,1,1"
    Path("sub/t.csv").write_text("\n".join([*lines, ""]), encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        summary = fit(REGRESSION, "loop.epochs=1", to="other").path / "summary.json"
    json.loads(summary.read_text(encoding="utf-8"), parse_constant=pytest.fail)


def trained_on(trained: Trained) -> dict[str, np.ndarray]:  # type: ignore[type-arg] # row numbers
    from declnet.core.random import generator
    from declnet.data.splits import at_random as split

    return dict(zip(("train", "val", "test"), split(ROWS, [0.8, 0.1, 0.1], generator(0, "split")), strict=True))


def test_one_number_a_row_is_no_vector(fit: Callable[..., Trained]) -> None:
    write(lambda n: (n, n % 5, n % 3))
    with pytest.raises(ConfigError, match="rows"):
        fit(REGRESSION, "data.inputs=a", "data.targets=c", "model.0.out_features=7")
