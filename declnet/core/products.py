"""What products of matrices will take, before a run directory is made or anything is printed."""

from __future__ import annotations

from functools import cache

import numpy as np

from declnet.core.room import BUFFER, THREAD, require_room
from declnet.core.threads import given

LARGE = 256
"""The side of matrices that no kernel multiplies without a buffer."""


def require_room_for_products() -> None:
    """MachineError where OpenBLAS or a thread would be refused its memory, which would end the process."""
    _take_buffer()
    if (helpers := given() - 1) > 0:
        purpose = f"for products of matrices on {helpers + 1} threads; OPENBLAS_NUM_THREADS=1 needs less"
        require_room(helpers * THREAD, purpose)


@cache
def _take_buffer() -> None:
    """That of this thread, which is kept."""
    require_room(BUFFER, "for products of matrices")
    square = np.ones((LARGE, LARGE), np.float32)
    np.matmul(square, square)
