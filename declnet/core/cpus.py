"""How many CPUs there are for this process; without NumPy, which is told before it loads."""

from __future__ import annotations

import os


def cpus() -> int:
    """How many the process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
