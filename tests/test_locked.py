"""requirements/ci.txt has every dependency, in a version that pyproject.toml allows, with its hashes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CHECKOUT = Path(__file__).parent.parent
LOCK = (CHECKOUT / "requirements" / "ci.txt").read_text(encoding="utf-8")
PINS = [entry for entry in re.split(r"\n(?=\S)", LOCK) if not entry.startswith("#")]
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
NEEDED = [Requirement(text) for text in [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]]


@pytest.mark.parametrize("needed", NEEDED, ids=str)
def test_what_is_needed_is_locked(needed: Requirement) -> None:
    start = f"{canonicalize_name(needed.name)}=="
    versions = [pin.removeprefix(start).split()[0] for pin in PINS if pin.startswith(start)]
    assert versions  # several where Python's version decides
    assert all(map(needed.specifier.contains, versions))


def test_all_that_is_locked_has_hashes() -> None:
    assert len(PINS) > len(NEEDED)
    for pin in PINS:
        assert re.match(r"[a-z0-9-]+==\S+ ", pin), pin
        assert re.search(r" --hash=sha256:[0-9a-f]{64}\b", pin), pin


def test_where_from_is_for_pip_to_know() -> None:
    assert "://" not in LOCK
    assert "index" not in LOCK
