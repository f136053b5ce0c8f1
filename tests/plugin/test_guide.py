"""docs/plugins.md shows the plug-in as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from declnet import testing
from declnet.core.registry import REGISTRIES
from plugin.page import ROOT, blocks

HERE = Path(__file__).parent
SHOWN = ("pyproject.toml", "declnet_example/mish.py", "declnet_example/rprop.py", "test_components.py")


@pytest.mark.parametrize("name", SHOWN)
def test_files_are_shown_whole(name: str) -> None:
    assert blocks()[f"file: tests/plugin/{name}"] == (HERE / name).read_text(encoding="utf-8")


def test_every_block_is_tested() -> None:
    """The shell's commands are those of test_installed.py."""
    assert set(blocks()) == {*(f"file: tests/plugin/{name}" for name in SHOWN), "shell", "config"}


def test_the_table_of_groups() -> None:
    text = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(declnet\.\w+)` \| (`.+?) \|", text, re.MULTILINE))
    assert {group: re.findall(r"`\w+\.(\w+)`", bases) for group, bases in rows.items()} == {
        registry.group: [base.__name__ for base in registry.base] for registry in REGISTRIES
    }


def test_the_table_of_tools() -> None:
    text = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    _, _, tools = text.partition("| `declnet.testing` |")
    names = re.findall(r"^\| `(\w+)\(", tools, re.MULTILINE)
    assert names == ["check", "check_gradients", "run", "Bound", "optimize", "minimize"]
    assert all(hasattr(testing, name) for name in names)
