"""The plug-in as its users have it: installed beside declnet, found by the command, and told apart when broken."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from declnet_example.mish import Mish
from declnet_example.rprop import Rprop

from plugin.page import blocks

if TYPE_CHECKING:
    from conftest import Command

HERE = Path(__file__).parent

CONFIG = blocks()["config"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the plug-in, built from its sources."""
    for needed in ("pip", "hatchling"):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed: pip install --group dev")
    folder = tmp_path_factory.mktemp("plug-in")
    source, target = folder / "source", folder / "site"
    shutil.copytree(HERE / "declnet_example", source / "declnet_example")
    shutil.copy(HERE / "pyproject.toml", source)
    flags = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *flags, "--target", str(target), str(source)],
        check=True,
        capture_output=True,
        timeout=120,
    )
    return target


@pytest.fixture
def with_plug_in(command: Command, site: Path) -> Command:
    (command.cwd / "c.yaml").write_text(CONFIG, encoding="utf-8")
    return beside(command, site)


def beside(command: Command, folder: Path) -> Command:
    """The command where a folder is on the path as well."""
    paths = [str(folder), *filter(None, [command.env.get("PYTHONPATH")])]
    command.env["PYTHONPATH"] = os.pathsep.join(paths)
    return command


def test_it_is_listed(with_plug_in: Command) -> None:
    listed, one = with_plug_in.each("list-components --family plug-in", "list-components Mish")
    assert (listed.rc, listed.stderr) == (0, "")
    title, _, *rows = [" ".join(line.split()) for line in listed.stdout.splitlines()]
    assert title == "2 components"
    for cls, row in zip((Mish, Rprop), rows, strict=True):
        summary = (cls.__doc__ or "").splitlines()[0]
        assert row == f"{cls.__name__} plug-in {cls.pytorch} {summary}"
    assert one.stdout.startswith("Mish (plug-in, PyTorch's torch.nn.Mish)\n\nSelf-gated activation: ")


def test_it_is_trained(with_plug_in: Command) -> None:
    checked, trained = with_plug_in.each("validate c.yaml --json", "train c.yaml --json --run-dir r")
    assert (checked.rc, checked.stderr) == (0, "")
    assert trained.rc == 0, trained.stderr
    lines = (with_plug_in.cwd / "r" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    losses = [json.loads(line)["train_loss"] for line in lines]
    assert len(losses) == 4
    assert losses == sorted(losses, reverse=True)
    again, stored = with_plug_in.each("train r/config.yaml --json --run-dir again", "validate r/config.yaml")
    assert (again.rc, stored.rc) == (0, 0)
    last = [(with_plug_in.cwd / run / "checkpoints" / "last.npz").read_bytes() for run in ("r", "again")]
    assert last[0] == last[1]


def test_only_what_a_config_names_is_imported(with_plug_in: Command) -> None:
    plain, one = with_plug_in.each("validate c.yaml optimizer=SGD model.1=ReLU", "validate c.yaml optimizer=SGD")
    assert (plain.rc, one.rc) == (0, 0)
    assert "declnet_example" not in plain.modules
    assert {name for name in one.modules if name.startswith("declnet_example.")} == {"declnet_example.mish"}


def test_a_misspelt_name(with_plug_in: Command) -> None:
    (result,) = with_plug_in.each("validate c.yaml model.1=Mihs optimizer.type=RProp")
    assert result.rc == 2
    assert [line.partition(": error: ")[2] for line in result.stderr.splitlines() if ": error: " in line] == [
        "model[1].type: unknown component 'Mihs'; did you mean 'Mish'?",
        "optimizer.type: unknown optimizer 'RProp'; did you mean 'Rprop'?",
    ]
    assert "declnet_example" not in result.modules
