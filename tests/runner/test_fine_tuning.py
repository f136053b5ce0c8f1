"""docs/fine-tuning.md: its configs are trained, its commands run, and what it shows and states comes out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import declnet
from declnet.config.yaml import loads
from declnet.runner.events import Finished
from declnet.runner.experiment import load
from declnet.runner.train import train

if TYPE_CHECKING:
    from conftest import Command

PAGE = (Path(__file__).parents[2] / "docs" / "fine-tuning.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^<!-- ([^\n]*) -->\n```\w+\n(.*?)^```$", PAGE, re.M | re.S))
FILES = {mark.removeprefix("file: "): text for mark, text in BLOCKS.items() if mark.startswith("file: ")}


def written(folder: Path) -> None:
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")


def accuracy(*overrides: str) -> float:
    found = []
    for seed in range(3):
        to = Path(f"{len(list(Path().iterdir()))}-{seed}")
        *_, last = train(load("tune.yaml", [f"seed={seed}", *overrides]), to)
        assert isinstance(last, Finished)
        test = last.summary["test"]
        assert isinstance(test, dict)
        found.append(test["accuracy"])
    return float(np.mean(found))


def test_every_block_is_known() -> None:
    assert len(BLOCKS) == PAGE.count("```") // 2
    assert set(FILES) == {"pretrain.yaml", "tune.yaml", "torch.yaml"}
    known = {"commands", "report", "optimizer", "torch", "python", "mistake: torch.yaml model.2.out_features=12"}
    assert {mark for mark in BLOCKS if not mark.startswith("file: ")} == known


def test_the_commands(command: Command) -> None:
    written(command.cwd)
    outputs = []
    for line in BLOCKS["commands"].splitlines():
        result = command(*line.split()[1:], "loop.epochs=2")
        assert result.rc == 0, result.stderr
        outputs.append((result.stdout, result.stderr))
    (checked, _), (_, trained) = outputs[1:]
    assert BLOCKS["report"] in checked
    assert BLOCKS["report"] in trained


def test_the_figures(folder: Path) -> None:
    written(folder)
    declnet.train("pretrain.yaml")
    with_it, without = (float(text) for text in re.findall(r"\b(0\.\d\d) (?:of the test images|\(both)", PAGE))
    assert abs(accuracy() - with_it) < 0.015
    assert abs(accuracy("init=null", "model.encoder.freeze=false") - without) < 0.015


def test_another_rate_for_the_encoder(folder: Path) -> None:
    written(folder)
    declnet.train("pretrain.yaml", "loop.epochs=1")
    tune = FILES["tune.yaml"].replace("    freeze: true\n", "")
    lines = [BLOCKS["optimizer"].rstrip() if line.startswith("optimizer") else line for line in tune.splitlines()]
    Path("tune.yaml").write_text("\n".join(lines), encoding="utf-8")
    before = declnet.load("runs/pretrain-1").parameters
    after = declnet.train("tune.yaml", "loop.epochs=2").parameters
    assert loads("\n".join(lines), "tune.yaml").data["optimizer"]["groups"]
    change = np.abs(after["encoder.0.weight"] - before["encoder.0.weight"]).max()
    assert 0 < change < 0.01


def test_python(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(folder)
    exec(compile(BLOCKS["python"], "docs/fine-tuning.md", "exec"), {})  # noqa: S102 - the page is ours
    assert capsys.readouterr().out == "['head.weight', 'head.bias']\n"


@pytest.mark.torch
def test_a_model_of_pytorch(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="needs PyTorch")
    pytest.importorskip("safetensors", reason="needs safetensors")
    written(command.cwd)
    monkeypatch.chdir(command.cwd)
    exec(compile(BLOCKS["torch"], "docs/fine-tuning.md", "exec"), {})  # noqa: S102 - the page is ours
    (mark,) = (mark for mark in BLOCKS if mark.startswith("mistake"))
    refused = command("train", *mark.split()[1:])
    assert (refused.rc, refused.stderr) == (2, BLOCKS[mark])
    skipping = command("train", *mark.split()[1:], "init.skip=['2.*']", "loop.epochs=1")
    assert skipping.rc == 0
    assert "init: start as drawn: 2.weight and 2.bias" in skipping.stderr
    assert command("train", "torch.yaml", "loop.epochs=1").rc == 0
