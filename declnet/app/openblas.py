"""What OpenBLAS, which multiplies NumPy's matrices, is told before NumPy loads it, and whether it has room."""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from typing import Final

KERNELS: Final = "OPENBLAS_CORETYPE"
"""The variable that says which kernels it computes with."""

TIMEOUT: Final = "OPENBLAS_THREAD_TIMEOUT"
"""The variable that says for how long its threads wait for the next product before they sleep: 2 to this power in
cycles of the processor's clock. They wait spinning, and stand in the way of other threads meanwhile.
"""

BRIEFLY: Final = "18"
"""A tenth of a millisecond, where OpenBLAS takes 26, which are 25 ms: with threads of our own between its products
a step of a convolutional network takes 1.4 times as long then (measured).
"""

WIDE: Final = "SkylakeX"
"""Its name for kernels with AVX-512."""

NEEDED: Final = frozenset({"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"})
"""The CPU flags that those kernels need."""

SAY_THREADS: Final = ("OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_NUM_THREADS")
"""What it reads the number of its threads from, the first one that is set."""

MOST_THREADS: Final = 64
"""As many as the OpenBLAS of NumPy's wheels starts at most."""

FIRST: Final = 8192
"""Bytes that hold what is said of the first CPU. The rest is not read: of hundreds it takes long to be made."""


def prepare(environ: MutableMapping[str, str], cpuinfo: str = "/proc/cpuinfo") -> None:
    """Let threads wait briefly, and name the fastest kernels where OpenBLAS would take slower ones. What the user
    has said stays.
    """
    environ.setdefault(TIMEOUT, BRIEFLY)
    if KERNELS in environ:
        return
    try:
        with open(cpuinfo, "rb", buffering=0) as file:  # noqa: PTH123 - importing pathlib takes longer than all this
            text = file.read(FIRST).decode("ascii", "replace")
    except OSError:
        return  # no Linux: OpenBLAS chooses, as it does anyway
    if (kernels := better_kernels(text)) is not None:
        environ[KERNELS] = kernels


def better_kernels(cpuinfo: str) -> str | None:
    """The kernels that beat those OpenBLAS takes by itself; None where it takes the fastest.

    On AMD's CPUs with AVX-512 (Zen 4 and 5) it takes its AVX2 kernels, which have half the speed (measured).
    """
    lines = (line.partition(":") for line in cpuinfo.partition("\n\n")[0].splitlines())
    said = {name.strip(): value.strip() for name, _, value in lines}
    wide = said.get("vendor_id") == "AuthenticAMD" and NEEDED.issubset(said.get("flags", "").split())
    return WIDE if wide else None


def require_numpy_room() -> None:
    """MachineError where there is too little memory to load NumPy: OpenBLAS would end the process."""
    from declnet.core.room import NUMPY, THREAD, require_room

    threads = threads_to_start(os.environ)
    fewer = "; OPENBLAS_NUM_THREADS=1 needs less" if threads > 1 else ""
    require_room(NUMPY + (threads - 1) * THREAD, f"to load NumPy{fewer}")


def threads_to_start(environ: Mapping[str, str]) -> int:
    """How many threads OpenBLAS will have: as its environment says, at most the CPUs that the process may use."""
    from declnet.core.cpus import cpus

    said = (environ.get(name, "") for name in SAY_THREADS)
    numbers = [int(text) for text in said if text.isdecimal() and int(text)]
    return min([cpus(), MOST_THREADS, *numbers[:1]])
