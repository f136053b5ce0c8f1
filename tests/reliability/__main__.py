"""Writes docs/reliability.md: each promise, its test, how many cases were tried, and what came out.

Run in the checkout: `PYTHONPATH=.:tests python -m reliability [NAME ...]`; without names all of them. What is not
named keeps the figures of its last run, which are in tests/reliability/figures.json.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from reliability.promise import Promise
from reliability.promises import PROMISES, SECTIONS

PAGE: Final = Path(__file__).parents[2] / "docs" / "reliability.md"
FIGURES: Final = Path(__file__).with_name("figures.json")

HEAD: Final = """\
# What can be relied on

Each promise is a check that tries to break it. The test suite runs each on a few cases
(`pytest tests/reliability`); the figures below are of all cases. They are written by
`PYTHONPATH=.:tests python -m reliability`, which takes names of promises where only some are wanted.
SECURITY.md says against whom declnet defends itself, and where that ends.
"""
COLUMNS: Final = "| promise | test | cases | held | figures |\n|---|---|---:|---:|---|"


def measured(promise: Promise) -> dict[str, Any]:
    """Try a promise on all cases."""
    begun = time.perf_counter()
    outcome = promise.check("whole")
    for failure in outcome.failures:
        print(f"{promise.name}: {failure}", file=sys.stderr)
    return {
        "cases": outcome.cases,
        "held": outcome.cases - len(outcome.failures),
        "figures": outcome.figures,
        "seconds": round(time.perf_counter() - begun),
    }


def page(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """The page that these figures make."""
    parts = [HEAD]
    for title, promises in SECTIONS.items():
        rows = [row(promise, figures[promise.name]) for promise in promises if promise.name in figures]
        parts.append("\n".join([f"## {title}", "", COLUMNS, *rows, ""]))
    return "\n".join(parts)


def row(promise: Promise, found: Mapping[str, Any]) -> str:
    """A line of a table."""
    said = "; ".join(text for text in (found["figures"], promise.reason) if text)
    return f"| {promise.says} | `{promise.name}` | {found['cases']:,} | {found['held']:,} | {said} |"


def main(*names: str) -> int:
    """Measure what is named, or all, and write the page; 1 where something does not hold without a reason."""
    figures = json.loads(FIGURES.read_text("utf-8")) if FIGURES.exists() else {}
    figures = {name: found for name, found in figures.items() if name in PROMISES}
    for name in names or PROMISES:
        figures[name] = found = measured(PROMISES[name])
        print(f"{name}: {found['held']} of {found['cases']} in {found['seconds']} s; {found['figures']}")
        FIGURES.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n", "utf-8")
    PAGE.write_text(page(figures), "utf-8")
    short = {name for name, found in figures.items() if found["held"] < found["cases"]}
    return int(any(not PROMISES[name].reason for name in short))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
