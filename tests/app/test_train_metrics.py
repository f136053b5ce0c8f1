"""What `declnet train` shows of metrics: numbers after each epoch, matrices in the end, and what is undefined."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Command

TEXT = """\
name: two
data:
  source: {type: CSV, path: t.csv}
  inputs: [a, b]
  targets: {y: {columns: c, dtype: int64}}
  split: {train: 0.6, val: 0.2, test: 0.2}
model: [{type: Linear, out_features: 2}]
loss: CrossEntropyLoss
optimizer: Adam
loop:
  epochs: 2
  metrics: [confusion_matrix, {type: top_k, k: 2}, auroc, {type: confusion_matrix, ignore_index: 0}]
"""


def write(command: Command, rows: int = 20, classes: int = 2) -> None:
    (command.cwd / "c.yaml").write_text(TEXT, encoding="utf-8")
    lines = [f"{i % 7},{i % 5},{i % classes}" for i in range(rows)]
    (command.cwd / "t.csv").write_text("\n".join(["a,b,c", *lines, ""]), encoding="utf-8")


def test_numbers_and_matrices(command: Command) -> None:
    write(command)
    (result,) = command.each("train c.yaml --run-dir r loop.epochs=1")
    assert result.rc == 0
    summary = json.loads((command.cwd / "r/summary.json").read_text(encoding="utf-8"))
    (record,) = (json.loads(line) for line in (command.cwd / "r/metrics.jsonl").read_text("utf-8").splitlines())
    names = ["val_loss", "val_top_k(k=2)", "val_auroc"]
    assert list(record) == ["epoch", "train_loss", *names, "lr", "seconds"]
    assert list(summary["last"]) == list(record)
    labels = ["loss", "confusion_matrix", "top_k(k=2)", "auroc", "confusion_matrix(ignore_index=0)"]
    assert [list(summary[split]) for split in ("val", "test")] == [labels] * 2
    figures = "  ".join(f"{name} {record[name]:.4f}" for name in ("train_loss", *names))
    assert result.stderr.splitlines()[-1] == f"epoch 1/1  {figures}  best"
    table = ["two: best epoch 1 of 1", f"{'':4}    loss  top_k(k=2)   auroc"]
    for split in ("val", "test"):
        loss, found, auroc = (summary[split][name] for name in ("loss", "top_k(k=2)", "auroc"))
        table.append(f"{split:4}  {loss:.4f}  {found:>10.4f}  {auroc:.4f}")
    for label in (labels[1], labels[4]):
        for split in ("val", "test"):
            table += [f"{split} {label}: a row for each class, a column for each it was taken for", "class  0  1"]
            matrix = summary[split][label]
            assert sum(map(sum, matrix)) == (4 if label == labels[1] else sum(summary[split][labels[1]][1]))
            table += [f"{index}      {first}  {second}" for index, (first, second) in enumerate(matrix)]
    assert result.stdout.splitlines()[:-1] == table


def test_what_is_undefined(command: Command) -> None:
    write(command, classes=1)
    (result,) = command.each("train c.yaml --run-dir r loop.epochs=1 'loop.metrics=[auroc]'")
    assert result.rc == 0
    assert result.stderr.splitlines()[-1].endswith("  val_auroc not finite  best")
    assert [line.split()[-2:] for line in result.stdout.splitlines()[2:4]] == [["not", "finite"]] * 2
    assert '"val_auroc": null' in (command.cwd / "r/metrics.jsonl").read_text(encoding="utf-8")
    assert json.loads((command.cwd / "r/summary.json").read_text(encoding="utf-8"))["test"]["auroc"] is None


def test_a_matrix_that_is_too_large_to_print(command: Command) -> None:
    write(command, rows=100, classes=21)
    settings = "loop.metrics=[confusion_matrix] 'model=[{type: Linear, out_features: 21}]'"
    (result,) = command.each(f"train c.yaml -q --run-dir r {settings}")
    assert result.rc == 0
    assert result.stdout.splitlines()[4:6] == [
        f"{split} confusion_matrix: 21 rows and columns, in summary.json" for split in ("val", "test")
    ]
    summary = json.loads((command.cwd / "r/summary.json").read_text(encoding="utf-8"))
    assert sum(map(sum, summary["test"]["confusion_matrix"])) == 20
