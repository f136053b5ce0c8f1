"""What the numbers were measured on."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import version
from pathlib import Path
from typing import Final

from declnet.core.cpus import cpus

VECTORS: Final = {"avx512f": "AVX-512", "avx2": "AVX2", "asimd": "NEON"}
"""Flags in /proc/cpuinfo, the widest first."""


def machine() -> dict[str, str]:
    """The machine and the versions, as lines to print."""
    return {
        "CPU": _cpu(),
        "cores": str(cpus()),
        "system": platform.platform(),
        "load before": f"{os.getloadavg()[0]:.2f}",
        "Python": platform.python_version(),
        "numpy": version("numpy"),
        "torch": version("torch"),
    }


def _cpu() -> str:
    """The model, its family, which tells the generation where a cloud hides the name, and the widest vectors."""
    file = Path("/proc/cpuinfo")
    if not file.exists():
        return platform.processor() or platform.machine()
    found = dict(re.findall(r"^(.+?)\s*: (.*)$", file.read_text(), re.MULTILINE))
    flags = f"{found.get('flags', '')} {found.get('Features', '')}".split()
    vectors = next((name for flag, name in VECTORS.items() if flag in flags), "no known vectors")
    name = found.get("model name", platform.machine())
    return f"{name}, family {found.get('cpu family', '?')} model {found.get('model', '?')}, {vectors}"
