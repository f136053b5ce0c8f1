"""Metrics of whole runs: scikit-learn's on the outputs of the best parameters; what is undefined, and refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import special
from sklearn import metrics as sklearn

from declnet.core.random import generator
from declnet.data import splits
from declnet.errors import DataError
from declnet.runner.experiment import load

if TYPE_CHECKING:
    from conftest import Arrays, Trained

Fit = Callable[..., "Trained"]

ROWS = 60
CLASSES = "e, dtype: int64"
TEXT = """\
dtype: float64
data:
  source: {type: CSV, path: t.csv}
  inputs: [a, b]
  targets: {y: {columns: TARGET}}
  split: {train: 0.5, val: 0.25, test: 0.25}
model: MODEL
loss: LOSS
optimizer: {type: Adam, lr: 0.1}
loop: {epochs: 4, batch_size: 7, metrics: METRICS}
"""


def config(target: str, model: str, loss: str, *metrics: str) -> str:
    text = TEXT.replace("TARGET", target).replace("MODEL", model).replace("LOSS", loss)
    return text.replace("METRICS", f"[{', '.join(metrics)}]")


@pytest.fixture
def columns(folder: Path) -> Arrays:
    """t.csv: numbers a and b; classes c of two and e of three that they tell of, and a number d."""
    rng = np.random.default_rng(0)
    a, b, noise = rng.normal(size=(3, ROWS))
    found = {
        "a": a,
        "b": b,
        "c": a + noise / 2 > 0,
        "d": a - 2 * b + noise,
        "e": (a > -0.4) * 1 + (a + noise > 0.6),
    }
    found = {name: array.astype(np.int64 if name in "ce" else np.float64) for name, array in found.items()}
    lines = [",".join(map(repr, row)) for row in zip(*(array.tolist() for array in found.values()), strict=True)]
    (folder / "t.csv").write_text("\n".join([",".join(found), *lines, ""]), encoding="utf-8")
    return found


def rows_of(columns: Arrays, split: str) -> Arrays:
    """The columns' rows of a split."""
    pieces = splits.at_random(ROWS, [0.5, 0.25, 0.25], generator(0, "split"))
    rows = pieces[("train", "val", "test").index(split)]
    return {name: array[rows] for name, array in columns.items()}


def outputs(trained: Trained, columns: Arrays, name: str = "0") -> np.ndarray[Any, Any]:
    """What the one layer gives with the best parameters."""
    state = trained.arrays("best.npz")
    inputs = np.stack([columns["a"], columns["b"]], axis=1)
    found: np.ndarray[Any, Any] = inputs @ state[f"{name}.weight"].T + state[f"{name}.bias"]
    return found


def check(trained: Trained, split: str, **expected: object) -> None:
    """The figures of a split; those of the validation rows stand in the best epoch's record too."""
    found = trained.summary[split]
    assert list(found) == ["loss", *expected]
    for name, figure in expected.items():
        np.testing.assert_allclose(found[name], figure, rtol=1e-9, err_msg=name)
    if split == "val":
        record = trained.records[trained.summary["best_epoch"] - 1]
        numbers = {f"val_{name}": figure for name, figure in found.items() if not isinstance(figure, list)}
        assert {key: value for key, value in record.items() if key.startswith("val_")} == numbers


def test_classes(fit: Fit, columns: Arrays) -> None:
    metrics = ["accuracy", "{type: top_k, k: 2}", "{type: top_k, k: 3}", "f1", "{type: f1, average: micro}"]
    metrics += ["precision", "{type: recall, average: weighted}", "auroc", "confusion_matrix", "perplexity"]
    trained = fit(config(CLASSES, "[{type: Linear, out_features: 3}]", "CrossEntropyLoss", *metrics))
    for split in ("val", "test"):
        rows = rows_of(columns, split)
        logits, y = outputs(trained, rows), rows["e"]
        shares, decided = special.softmax(logits, axis=1), logits.argmax(axis=1)
        found = {
            "accuracy": sklearn.accuracy_score(y, decided),
            "top_k(k=2)": sklearn.top_k_accuracy_score(y, logits, k=2),
            "top_k(k=3)": 1,
            "f1": sklearn.f1_score(y, decided, average="macro"),
            "f1(average=micro)": sklearn.f1_score(y, decided, average="micro"),
            "precision": sklearn.precision_score(y, decided, average="macro", zero_division=0),
            "recall(average=weighted)": sklearn.recall_score(y, decided, average="weighted"),
            "auroc": sklearn.roc_auc_score(y, shares, multi_class="ovr"),
            "confusion_matrix": sklearn.confusion_matrix(y, decided),
            "perplexity": np.exp(sklearn.log_loss(y, shares)),
        }
        check(trained, split, **found)


@pytest.mark.parametrize(
    ("model", "loss"),
    [
        ("[{type: Linear, out_features: 1}, {type: Flatten, start_dim: 0}]", "BCEWithLogitsLoss"),
        ("[{type: Linear, out_features: 1}, Sigmoid, {type: Flatten, start_dim: 0}]", "BCELoss"),
    ],
)
def test_two_classes_from_one_number(fit: Fit, columns: Arrays, model: str, loss: str) -> None:
    """Logits and probabilities: each is cut where it is 0.5, and where the config says."""
    metrics = [
        "accuracy",
        "{type: accuracy, threshold: 0.8}",
        "precision",
        "recall",
        "f1",
        "auroc",
        "confusion_matrix",
    ]
    trained = fit(config("c, dtype: float", model, loss, *metrics))
    for split in ("val", "test"):
        rows = rows_of(columns, split)
        shares, y = special.expit(outputs(trained, rows)[:, 0]), rows["c"]
        decided = shares > 0.5
        found = {
            "accuracy": sklearn.accuracy_score(y, decided),
            "accuracy(threshold=0.8)": sklearn.accuracy_score(y, shares > 0.8),
            "precision": sklearn.precision_score(y, decided),
            "recall": sklearn.recall_score(y, decided),
            "f1": sklearn.f1_score(y, decided),
            "auroc": sklearn.roc_auc_score(y, shares),
            "confusion_matrix": sklearn.confusion_matrix(y, decided),
        }
        check(trained, split, **found)


def test_numbers(fit: Fit, columns: Arrays) -> None:
    trained = fit(config("[d, a]", "[{type: Linear, out_features: 2}]", "MSELoss", "mae", "rmse", "r2"))
    for split in ("val", "test"):
        rows = rows_of(columns, split)
        found, target = outputs(trained, rows), np.stack([rows["d"], rows["a"]], axis=1)
        mae = sklearn.mean_absolute_error(target, found)
        rmse = sklearn.root_mean_squared_error(target.reshape(-1), found.reshape(-1))
        check(trained, split, mae=mae, rmse=rmse, r2=sklearn.r2_score(target, found))


def test_of_several_outputs(fit: Fit, columns: Arrays) -> None:
    """Each metric reads what it names: a head that the loss does not end in, and the data as they came in."""
    model = "[{type: Linear, out_features: 3, name: kind}, {type: Linear, out_features: 2, name: again, inputs: x}]"
    loss = "[{type: CrossEntropyLoss, inputs: [kind, y]}, {type: MSELoss, inputs: [again, x]}]"
    metrics = ["{type: accuracy, inputs: {output: kind}}", "{type: mae, inputs: [again, x]}"]
    trained = fit(config(CLASSES, model, loss, *metrics))
    rows = rows_of(columns, "test")
    decided = outputs(trained, rows, "kind").argmax(axis=1)
    target = np.stack([rows["a"], rows["b"]], axis=1)
    figures = {
        "accuracy(output=kind)": sklearn.accuracy_score(rows["e"], decided),
        "mae(output=again, target=x)": sklearn.mean_absolute_error(target, outputs(trained, rows, "again")),
    }
    check(trained, "test", **figures)
    again = fit((trained.path / "config.yaml").read_text(encoding="utf-8").replace("../t.csv", "t.csv"), to="again")
    assert again.summary["test"] == trained.summary["test"]


def test_a_target_that_the_loss_does_not_read(fit: Fit, columns: Arrays) -> None:
    text = config(
        "e",
        "[{type: Linear, out_features: 2}]",
        "{type: MSELoss, inputs: ['0', x]}",
        "{type: r2, inputs: ['0', z]}",
    )
    trained = fit(text.replace("targets: {", "targets: {z: [b, a], "))
    rows = rows_of(columns, "test")
    target = np.stack([rows["b"], rows["a"]], axis=1)
    check(trained, "test", **{"r2(output=0, target=z)": sklearn.r2_score(target, outputs(trained, rows))})


def test_what_is_undefined_is_null(fit: Fit, columns: Arrays) -> None:
    """A class alone has no AUROC, an ignored one counts nowhere: that ends no run."""
    lines = Path("t.csv").read_text(encoding="utf-8").splitlines()
    parts = [line.split(",") for line in lines[1:]]
    Path("t.csv").write_text("\n".join([lines[0], *(",".join([*p[:4], "0"]) for p in parts), ""]), encoding="utf-8")
    metrics = ["auroc", "{type: accuracy, ignore_index: 0}", "{type: f1, ignore_index: 0}", "confusion_matrix"]
    trained = fit(config(CLASSES, "[{type: Linear, out_features: 2}]", "CrossEntropyLoss", *metrics))
    text = (trained.path / "metrics.jsonl").read_text(encoding="utf-8")
    for record in map(json.loads, text.splitlines()):
        assert [record[key] for key in record if key.startswith("val_") and key != "val_loss"] == [None] * 3
    summary = json.loads((trained.path / "summary.json").read_text(encoding="utf-8"))
    assert [*summary["test"].values()][1:4] == [None] * 3
    assert summary["test"]["confusion_matrix"] == [[15, 0], [0, 0]]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            (
                CLASSES,
                "[{type: Linear, out_features: 2}]",
                "{type: MSELoss, inputs: ['0', x]}",
                "confusion_matrix",
            ),
            "the class 2 does not exist: the model's output has 2, 0 to 1",
        ),
        (
            ("e", "[{type: Linear, out_features: 1}, {type: Flatten, start_dim: 0}]", "MSELoss", "f1"),
            "f1 takes the targets 0 and 1 where there is one output for each; got 2",
        ),
    ],
)
def test_a_target_that_is_no_class(
    fit: Fit, columns: Arrays, parts: tuple[str, str, str, str], message: str
) -> None:
    row = int(np.flatnonzero(columns["e"] == 2)[0])
    with pytest.raises(DataError) as caught:
        fit(config(*parts))
    (item,) = caught.value.diagnostics
    assert (item.message, item.mark and item.mark.line) == (message, row + 2)
    assert not Path("r").exists()
    load("c.yaml")  # the config itself is fine
