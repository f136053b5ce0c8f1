"""Memory that is needed later, asked for while its refusal can still be told.

OpenBLAS ends the process where it is refused memory, also while NumPy loads it. So what it will take is asked of
the system before, and given back to be taken.
"""

from __future__ import annotations

import mmap
from typing import Final

from declnet.errors import MachineError

BUFFER: Final = 32 << 20
"""Bytes that OpenBLAS takes for each thread that multiplies, at its first product (measured, as NumPy's wheels
have it).
"""

THREAD: Final = BUFFER + (8 << 20)
"""Bytes of a thread beside the first one: its buffer and its stack."""

NUMPY: Final = 90 << 20
"""Bytes that NumPy takes when it is loaded with OpenBLAS for one thread (measured)."""


def require_room(nbytes: int, purpose: str) -> None:
    """MachineError, which says what for, where the system would not give so many bytes now; none are taken."""
    try:
        mmap.mmap(-1, nbytes).close()
    except (OSError, OverflowError) as error:
        raise MachineError(f"not enough memory: {nbytes:,} bytes more are needed {purpose}") from error
