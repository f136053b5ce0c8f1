"""Packages that are imported at their first use."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import pytest

from declnet.app.later import Later, later
from declnet.errors import MachineError

NAME = "imported_later"


def nothing() -> None:
    """What there is to do before an import."""


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that notes its imports, not imported yet."""
    folder = tmp_path / NAME
    folder.mkdir()
    (folder / "__init__.py").write_text("import sys\nsys.argv.append(__name__)\nvalue = 3\n", "utf-8")
    (folder / "part.py").write_text(f"from {NAME} import value\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "argv", [])
    for name in (NAME, f"{NAME}.part"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_the_first_use_imports_it_once() -> None:
    later(NAME, nothing)
    module = import_module(NAME)
    assert sys.argv == []
    assert module.value == 3
    assert module.value == 3
    assert sys.argv == [NAME]
    assert import_module(NAME) is module
    assert not isinstance(module, Later)
    assert module.__path__


def test_what_is_asked_before_can_refuse() -> None:
    """And is asked again at the next use."""
    asked: list[str] = []

    def ask() -> None:
        asked.append("asked")
        if len(asked) == 1:
            raise MachineError("no room")

    later(NAME, ask)
    module = import_module(NAME)
    with pytest.raises(MachineError, match="no room"):
        _ = module.value
    assert sys.argv == []
    assert module.value == 3
    assert (len(asked), sys.argv) == (2, [NAME])


def test_a_module_in_it_imports_it_first() -> None:
    later(NAME, nothing)
    assert import_module(f"{NAME}.part").value == 3
    assert sys.argv == [NAME]


def test_what_it_does_not_have_is_missing() -> None:
    later(NAME, nothing)
    with pytest.raises(AttributeError, match=f"module '{NAME}' has no attribute 'other'"):
        _ = import_module(NAME).other


def test_what_is_imported_stays() -> None:
    module = import_module(NAME)
    later(NAME, nothing)
    assert import_module(NAME) is module
    assert sys.argv == [NAME]


def test_what_is_not_installed_says_so_at_its_first_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "not_installed", raising=False)
    later("not_installed", nothing)
    with pytest.raises(ModuleNotFoundError, match="not_installed"):
        _ = import_module("not_installed").value
    monkeypatch.delitem(sys.modules, "not_installed")
