"""Targets that the model computes are looked at in each step, as data are when they are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from declnet.errors import DataError, NonFiniteError
from declnet.runner.experiment import load
from declnet.runner.train import train

TEXT = """\
data:
  source: {{type: CSV, path: d.csv}}
  split: {{train: 1.0, val: 0, test: 0}}
  inputs: {{x: [u, v], a: {{columns: {a}, dtype: {dtype}}}, b: {{columns: {b}, dtype: {dtype}}}}}
  targets: {{y: {{columns: whole, dtype: int64}}}}
model:
  - {{type: {operation}, name: made, inputs: [a, b]}}
  - {{type: Linear, out_features: {width}, name: trunk, inputs: x}}
  - {{type: {last}, name: out}}
loss: {{type: {loss}, inputs: [out, {target}]}}
optimizer: {{type: SGD, lr: 0.1}}
loop: {{epochs: 1, batch_size: 4, shuffle: false, metrics: [{metric}]}}
"""
CLASSES = {
    "a": "whole",
    "b": "one",
    "dtype": "int64",
    "operation": "Add",
    "width": "3",
    "last": "Identity",
    "loss": "CrossEntropyLoss",
    "target": "made",
    "metric": "",
}
ROWS = "u,v,whole,one,half\n0.1,0.2,0,1,0.5\n0.3,0.4,1,1,0.25\n0.5,0.6,{third},1,{share}\n0.7,0.8,0,1,1\n"
MISSING = "the class 3 does not exist: the model's output has 3, 0 to 2 (row 3 of the batch)"


def run(folder: Path, third: int = 1, share: float = 0.5, **changed: str) -> None:
    (folder / "d.csv").write_text(ROWS.format(third=third, share=share))
    (folder / "c.yaml").write_text(TEXT.format(**CLASSES | changed))
    for _ in train(load(str(folder / "c.yaml")), folder / "run"):
        pass


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"loss": "NLLLoss", "last": "LogSoftmax"},
        {"loss": "CrossEntropyLoss, label_smoothing: 0.1"},
    ],
    ids=["cross entropy", "nll", "smoothing"],
)
def test_classes(tmp_path: Path, changed: dict[str, str]) -> None:
    """In range they are trained on; out of range nothing is clipped."""
    (tmp_path / "good").mkdir()
    run(tmp_path / "good", **changed)
    with pytest.raises(DataError) as caught:
        run(tmp_path, third=2, **changed)
    messages = [diagnostic.message for diagnostic in caught.value.diagnostics]
    assert messages == [f"the target of loss, which model[0] computes: {MISSING}"]
    assert caught.value.exit_code == 3


def test_classes_of_a_metric(tmp_path: Path) -> None:
    """The loss reads another target, and there is no class that the metric is told of."""
    changed = {"target": "y", "metric": "{type: accuracy, inputs: [out, made]}"}
    (tmp_path / "d.csv").write_text("u,v,whole,one\n" + "0.1,0.2,2,1\n" * 8)
    config = TEXT.format(**CLASSES | changed).replace("train: 1.0, val: 0, test", "train: 0.5, val: 0.5, test")
    (tmp_path / "c.yaml").write_text(config)
    with pytest.raises(DataError) as caught:
        for _ in train(load(str(tmp_path / "c.yaml")), tmp_path / "run"):
            pass
    message = f"the target of accuracy, which model[0] computes: {MISSING.replace('row 3', 'row 1')}"
    assert [diagnostic.message for diagnostic in caught.value.diagnostics] == [message]


PROBABILITIES = {
    "a": "half",
    "b": "one",
    "dtype": "float",
    "operation": "Mul",
    "width": "1",
    "last": "Sigmoid",
    "loss": "BCELoss",
}


def test_probabilities(tmp_path: Path) -> None:
    columns = {name: f"[{PROBABILITIES[name]}]" for name in ("a", "b")}
    (tmp_path / "good").mkdir()
    run(tmp_path / "good", **PROBABILITIES | columns)
    with pytest.raises(DataError) as caught:
        run(tmp_path, share=1.5, **PROBABILITIES | columns)
    message = "the target of loss, which model[0] computes: BCELoss takes targets from 0 to 1, not 1.5"
    assert [d.message for d in caught.value.diagnostics] == [f"{message} (row 3 of the batch)"]


def test_nan_ends_the_run_as_always(tmp_path: Path) -> None:
    """What is no number any more is the training's fault, not the data's."""
    columns = {name: f"[{PROBABILITIES[name]}]" for name in ("a", "b")}
    infinite = PROBABILITIES | columns | {"operation": "Sub", "a": "[huge]", "b": "[huge]"}
    text = ROWS.replace("half", "huge").format(third=1, share="1e300")
    (tmp_path / "d.csv").write_text(text)
    config = TEXT.format(**CLASSES | infinite) + "dtype: float64\n"
    config = config.replace(
        "  - {type: Sub, name: made, inputs: [a, b]}",
        "  - {type: Mul, name: square, inputs: [a, a]}\n  - {type: Sub, name: made, inputs: [square, square]}",
    )
    (tmp_path / "c.yaml").write_text(config)
    with pytest.raises(NonFiniteError):
        for _ in train(load(str(tmp_path / "c.yaml")), tmp_path / "run"):
            pass
