"""What the machine can do at most, measured in the same run as what it does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.frame import OURS
from benchmarks.workers import Running, Served

OPERATIONS: Final = "operations a second at most"
MEMORY: Final = "bytes a second at most"

SIZE: Final = 1024


@dataclass(frozen=True, kw_only=True)
class Limits(Served):
    """Matrix products of NumPy's BLAS, and a copy larger than all caches, on so many threads."""

    @property
    def sides(self) -> Sequence[str]:
        """NumPy, in declnet's process."""
        return [OURS]

    @contextmanager
    def running(self, side: str) -> Iterator[Running]:
        """One call is one product; the rates are those of the best of several rounds."""
        from declnet.runner.machine import copy_rate, product_rate

        left, right, out = (np.ones((SIZE, SIZE), np.float32) for _ in range(3))
        rates = {OPERATIONS: product_rate("float32", 0.5), MEMORY: copy_rate(seconds=0.5)}
        yield Running(lambda: np.matmul(left, right, out=out), [], facts=rates)


MACHINE: Final = Limits(
    name="machine", title=f"The limits; a product of two matrices of {SIZE} x {SIZE}", group="machine"
)
