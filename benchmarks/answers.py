"""What a side computed, in a few numbers that another side has to reach too."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from benchmarks.frame import Figure

Array = np.ndarray[Any, Any]

ROUNDING: Final = 1e-4
"""Of a number's size, what sums of float32 in another order may differ by; measured, they do by 1e-6."""

LUCK: Final = 5
"""Standard deviations by which the share that a mask drops may miss: once in two million draws it does."""


def digest(arrays: Mapping[str, Array]) -> list[Figure]:
    """The mean, the root mean square and eight single numbers of each array."""
    figures = []
    for name, array in arrays.items():
        flat = array.reshape(-1).astype(np.float64)
        size = math.sqrt(float(np.mean(flat * flat)))
        figures += [Figure(f"{name}, mean", float(flat.mean()), ROUNDING * size)]
        figures += [Figure(f"{name}, root mean square", size, ROUNDING * size)]
        for place in range(8):
            index = place * (flat.size - 1) // 7
            figures.append(Figure(f"{name}, number {index}", float(flat[index]), ROUNDING * size))
    return list(dict.fromkeys(figures))


def masked(input: Array, output: Array, upstream: Array, gradient: Array, *, p: float, masks: int) -> list[Figure]:
    """A dropout's: masks are drawn by each side for itself, but what they do is the same. A number that is kept
    goes by one line, gradient included; all that are dropped become one number; and their share is near p.
    """
    kept = gradient != 0
    slope = gradient[kept] / upstream[kept]
    height = output[kept] - slope.mean() * input[kept]
    ends = {"slope": slope, "height": height, "what is dropped": output[~kept]}
    figures = [
        Figure(f"{name}, {end.__name__}", float(end(values)), ROUNDING)
        for name, values in ends.items()
        for end in (np.min, np.max)
    ]
    spread = LUCK * math.sqrt(2 * p * (1 - p) / masks)
    return [*figures, Figure("share dropped", float(np.mean(~kept)), spread)]
