"""Workloads that are training steps: forward, loss, backward, optimizer.

Each side is a process of its own, because the thread pools of two BLAS libraries in one process disturb each other.
All of them stay up while the rounds go from one to the next, so whatever else the machine does meets all alike.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from benchmarks.frame import OURS, ROOT, Answers, Sample, SideError, Take, Workload, environment

if TYPE_CHECKING:
    from torch import nn, optim

Array = np.ndarray[Any, Any]
Batch = tuple[Array, Array]
"""The input of the network, and the targets."""

SAME_LOSS: Final = 1e-5
"""Relative difference of two losses that float32 explains: sums in another order, 3e-7 where it was measured."""

FORMS: Final[Mapping[str, Mapping[str, bool]]] = {
    "PyTorch": {},
    "PyTorch foreach": {"foreach": True},
    "PyTorch fused": {"fused": True},
}
"""PyTorch's optimizers, in the forms that eager mode has."""


class PyTorch(NamedTuple):
    """What a workload is in PyTorch; the parameters have the names and the order of declnet's."""

    network: nn.Module
    loss: nn.Module
    optimizer: Callable[..., optim.Optimizer]


@dataclass(frozen=True, kw_only=True)
class Steps(Workload):
    """A declnet config, the same in PyTorch, and the batches that both train on, again and again."""

    config: Path
    pytorch: Callable[[], PyTorch]
    batches: Callable[[], Sequence[Batch]]
    steps: int
    """Steps in a sample."""
    warm_up: int = 50
    """Steps before the clock starts. Their losses are compared: in later ones rounding has grown too much."""

    @property
    def sides(self) -> Sequence[str]:
        """declnet, and PyTorch in its forms."""
        return [OURS, *FORMS]

    @contextmanager
    def open(self, side: str, threads: int) -> Iterator[Take]:
        """A worker, which takes a sample for each line it gets."""
        worker = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", self.name, side],
            cwd=ROOT,
            env=environment(threads),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert worker.stdin is not None
        assert worker.stdout is not None
        ask, answer = worker.stdin, worker.stdout

        def take() -> Sample:
            print(file=ask, flush=True)
            line = answer.readline()
            if not line:
                raise SideError(f"{self.name}, {side}: the worker ended with exit code {worker.wait()}")
            return Sample(**json.loads(line))

        with worker:  # closes its stdin, at which it ends
            yield take

    def wrong(self, answers: Answers) -> list[str]:
        """The first loss of each side that is not declnet's."""
        found = []
        for side, losses in answers.items():
            for step, (ours, theirs) in enumerate(zip(answers[OURS], losses, strict=True), start=1):
                if not math.isclose(ours, theirs, rel_tol=SAME_LOSS):
                    found.append(f"step {step}: the loss is {ours:.7g} with {OURS}, {theirs:.7g} with {side}")
                    break
        return found
