"""The commands on a config with a scheduler: what they show of lr, and of a scheduler that does not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Command

TEXT = """\
name: net
data: {source: Digits, split: {train: 0.2, val: 0.1, test: 0.1}}
model: [{type: Linear, out_features: 10}]
loss: CrossEntropyLoss
optimizer: {type: SGD, lr: 0.5}
scheduler: {type: StepLR, step_size: 2}
loop: {epochs: 5, batch_size: 40}
"""
STEPS = "'scheduler={type: OneCycleLR, max_lr: 1}'"
SHORT = "'scheduler={type: OneCycleLR, max_lr: 1, total_steps: 44}'"
PLATEAU = "'scheduler={type: ReduceLROnPlateau, patience: 0}'"


@pytest.fixture
def folder_of(command: Command) -> Path:
    (command.cwd / "c.yaml").write_text(TEXT, encoding="utf-8")
    return command.cwd


def test_train(command: Command, folder_of: Path) -> None:
    """An epoch's line has lr where it changes; metrics.jsonl has it always."""
    result = command("train", "c.yaml")
    assert result.rc == 0
    lines = result.stderr.splitlines()[1:]
    assert [line.partition("  lr ")[2].split("  ")[0] for line in lines] == ["", "", "0.05", "", "0.005"]
    records = (folder_of / "runs" / "net-1" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    expected = [0.5, 0.5, 0.05, 0.05, 0.005]
    assert [json.loads(record)["lr"] for record in records] == pytest.approx(expected, rel=1e-12)


def test_train_what_does_not_fit(command: Command, folder_of: Path) -> None:
    (result,) = command.each(f"train c.yaml {SHORT}")
    assert (result.rc, result.stdout) == (2, "")
    assert result.stderr == (
        "<command line>:1:54: error: scheduler.total_steps: the cycle ends at 44, before the loop's 45; leave its "
        "length out, and it is the loop's\n"
        "    scheduler={type: OneCycleLR, max_lr: 1, total_steps: 44}\n"
        f"    {' ' * 53}^\n"
    )
    assert [path.name for path in folder_of.iterdir()] == ["c.yaml"]


def test_validate(command: Command, folder_of: Path) -> None:
    """The first rate and the last, where they are known before a row is read."""
    shown, warmed, steps, plateau = command.each(
        "validate c.yaml",
        "validate c.yaml scheduler.warmup=2",
        f"validate c.yaml {STEPS}",
        f"validate c.yaml {PLATEAU}",
    )
    assert shown.stdout.endswith("\nlr: 0.5 in the first epoch, 0.005 in the last of 5\n")
    assert warmed.stdout.endswith("\nlr: 0.1667 in the first epoch, 0.05 in the last of 5\n")
    assert [result.rc for result in (shown, warmed, steps, plateau)] == [0] * 4
    assert all("lr: " not in result.stdout for result in (steps, plateau))


def test_validate_for_programs(command: Command, folder_of: Path) -> None:
    known, unknown = command.each("validate c.yaml --json", f"validate c.yaml --json {STEPS}")
    (found,) = json.loads(known.stdout)
    assert found["lr"] == {"first": 0.5, "last": pytest.approx(0.005, rel=1e-12)}
    assert json.loads(unknown.stdout)[0]["lr"] is None


def test_a_warning(command: Command, folder_of: Path) -> None:
    """And with --strict a mistake."""
    loose, strict = command.each(
        "validate c.yaml scheduler.step_size=30", "validate --strict c.yaml scheduler.step_size=30"
    )
    message = "scheduler: StepLR changes nothing within the 5 epochs of the loop\n"
    source = "    scheduler: {type: StepLR, step_size: 2}\n               ^\n"
    assert (loose.rc, loose.stderr) == (0, f"c.yaml:6:12: warning: {message}{source}")
    assert (strict.rc, strict.stderr) == (2, f"c.yaml:6:12: error: {message}{source}")


def test_list_components(command: Command) -> None:
    family, one = command.each("list-components --family schedulers --json", "list-components CosineAnnealingLR")
    assert [entry["name"] for entry in json.loads(family.stdout)] == [
        *("StepLR", "MultiStepLR", "ExponentialLR", "LinearLR", "PolynomialLR", "CosineAnnealingLR"),
        *("CosineAnnealingWarmRestarts", "OneCycleLR", "ReduceLROnPlateau"),
    ]
    assert one.stdout.startswith(
        "CosineAnnealingLR (schedulers, PyTorch's torch.optim.lr_scheduler.CosineAnnealingLR)\n"
    )
