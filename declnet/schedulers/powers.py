"""Powers of a factor, however many."""

from __future__ import annotations

import math


def power(factor: float, count: int) -> float:
    """factor to the count; infinite, as repeated products are, where Python would refuse."""
    try:
        return float(factor**count)
    except OverflowError:
        return math.inf
