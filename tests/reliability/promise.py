"""What declnet promises about bad input, faults and attackers, as checks that count their cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

Scale = Literal["quick", "whole"]
"""A few of the cases, for the test suite; or all that docs/reliability.md tells of."""


@dataclass(frozen=True)
class Outcome:
    """How many cases were tried, a line for each that did not hold, and what was measured on the way."""

    cases: int
    failures: Sequence[str]
    figures: str = ""


@dataclass(frozen=True)
class Promise:
    """A sentence that a user may rely on, and the check that tries to break it."""

    name: str
    says: str
    check: Callable[[Scale], Outcome]
    reason: str = ""
    """Why not all of it holds, where that is so: the page shows it, and the test expects it."""
