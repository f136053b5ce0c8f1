"""docs/parity.md is what its command writes: every component, with its cases as they are now."""

from __future__ import annotations

import re

import numpy as np

from components.cases.tables import FAMILIES
from components.deviations import EXAMPLES, PAGE, deviation, exceptions

CELLS = re.compile(r"\| (\w+) \| [\w. ]+ \| (\d+) \| (\d+) \| ([\d.e+-]+) \| ([\d.e+-]+) \|")


def test_the_page_has_every_component_and_its_cases() -> None:
    text = PAGE.read_text(encoding="utf-8")
    found = [
        CELLS.fullmatch(line) for line in text.splitlines() if re.match(r"\| [A-Za-z]\w*\b(?! \| PyTorch)", line)
    ]
    rows = [match.groups() for match in found if match is not None]
    assert len(rows) == len(found)
    assert [(name, int(cases)) for name, cases, *_ in rows] == [
        (subject.name, len(subject.cases)) for subjects in FAMILIES.values() for subject in subjects
    ]
    assert all(int(examples) >= EXAMPLES for _, _, examples, *_ in rows)
    assert list(exceptions()) == [line for line in text.splitlines() if line.startswith("- ")]


def test_a_deviation() -> None:
    """Relative to numbers above 1, of what is finite."""
    expected = {"a": np.array([0.5, 200.0, np.inf, np.nan]), "b": np.array([], np.float32)}
    actual = {"a": np.array([0.5, 201.0, np.inf, np.nan]), "b": np.array([], np.float32)}
    assert deviation(actual, expected) == 1 / 200
    assert deviation(expected, expected) == 0
