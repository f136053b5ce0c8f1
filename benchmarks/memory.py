"""How much memory a process takes, and what a step allocates."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

STATUS: Final = Path("/proc/self/status")
"""Where Linux says how much memory is resident, and was at most. getrusage's ru_maxrss will not do: a process
starts with that of the one it comes from.
"""


RESET: Final = Path("/proc/self/clear_refs")
"""Where Linux takes a 5 as the wish to count it anew."""


def resident() -> dict[str, int]:
    """Bytes resident now (VmRSS) and at most since the process began (VmHWM); empty where nothing says so."""
    if not STATUS.exists():
        return {}
    return {
        name: int(kib) * 1024 for name, kib in re.findall(r"^(VmRSS|VmHWM):\s*(\d+) kB", STATUS.read_text(), re.M)
    }


def forget_peak() -> None:
    """Let the most that is resident be counted from now on."""
    if RESET.exists():
        RESET.write_text("5")


def allocations(once: Callable[[], object]) -> Mapping[str, float]:
    """What one call allocates by Python's allocators, NumPy's arrays among it: the most bytes that are in use at a
    time beyond those before, and the blocks and bytes that are still there after it.
    """
    tracemalloc.start()
    try:
        once()  # what is made once only is made now
        before = tracemalloc.take_snapshot()
        tracemalloc.reset_peak()
        start, _ = tracemalloc.get_traced_memory()
        once()
        _, peak = tracemalloc.get_traced_memory()
        after = tracemalloc.take_snapshot()
    finally:
        tracemalloc.stop()
    own = [tracemalloc.Filter(False, tracemalloc.__file__), tracemalloc.Filter(False, __file__)]
    kept = after.filter_traces(own).compare_to(before.filter_traces(own), "filename")
    return {
        "allocated at most, bytes": float(peak - start),
        "blocks kept": float(sum(difference.count_diff for difference in kept)),
        "bytes kept": float(sum(difference.size_diff for difference in kept)),
    }
