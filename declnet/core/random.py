"""Random streams: one generator for each purpose, all from the config's seed, so that a change in how much
one of them draws moves none of the others.
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np

Purpose = Literal["split", "initialize", "shuffle", "noise"]

_STREAMS: Final[dict[Purpose, int]] = {"split": 0, "initialize": 1, "shuffle": 2, "noise": 3}
"""The spawn keys of the streams. They are part of what a seed means: never renumber them."""


def generator(seed: int, purpose: Purpose) -> np.random.Generator:
    """A new generator (PCG64) for this purpose."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAMS[purpose],)))
