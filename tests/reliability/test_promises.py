"""Each promise on a few of its cases; docs/reliability.md, written by `python -m reliability`, has all."""

from __future__ import annotations

import json

import pytest

from reliability.__main__ import FIGURES, PAGE, page
from reliability.promises import PROMISES


@pytest.mark.parametrize("name", PROMISES)
def test_holds(name: str) -> None:
    promise = PROMISES[name]
    outcome = promise.check("quick")
    assert outcome.cases > 0
    if not promise.reason:
        assert list(outcome.failures) == []


def test_the_page_is_what_was_measured() -> None:
    figures = json.loads(FIGURES.read_text("utf-8"))
    assert list(PROMISES) == [name for name in PROMISES if name in figures]
    assert set(figures) == set(PROMISES)
    assert page(figures) == PAGE.read_text("utf-8")
    short = {name for name, found in figures.items() if found["held"] < found["cases"]}
    assert short <= {name for name, promise in PROMISES.items() if promise.reason}
