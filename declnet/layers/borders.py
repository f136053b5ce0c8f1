"""Padding by what is inside: reflect, replicate, circular; and the gradient, which goes back where it came from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from declnet.core.component import Action
from declnet.core.spec import Array

Border = Literal["reflect", "replicate", "circular"]

Pads = Sequence[tuple[int, int]]
"""Low and high, for each of the last dimensions; below 0, what is taken away."""


def pad(x: Array, padded: Array, pads: Pads, border: Border) -> Action:
    """Put x in the middle of `padded`, and continue it over the border, one dimension after another."""
    kept, middle = _kept(x, pads), padded[_middle(x, pads)]
    copies = list(_copies(padded, pads, border))

    def forward() -> None:
        np.copyto(middle, kept)
        for target, source in copies:
            np.copyto(target, source)

    return forward


def fold(grad_padded: Array, grad_x: Array, pads: Pads, border: Border) -> Action:
    """Add the gradients of the border to what it was copied from, in the opposite order; writes both arrays."""
    kept, middle = _kept(grad_x, pads), grad_padded[_middle(grad_x, pads)]
    copies = list(_copies(grad_padded, pads, border))[::-1]

    def backward() -> None:
        for target, source in copies:
            np.add(source, target, out=source)
        if kept.size < grad_x.size:
            grad_x.fill(0)
        np.copyto(kept, middle)

    return backward


def _kept(x: Array, pads: Pads) -> Array:
    """What is not taken away."""
    whole = (slice(None),) * (x.ndim - len(pads))
    sizes = zip(x.shape[x.ndim - len(pads) :], pads, strict=True)
    return x[*whole, *(slice(max(-low, 0), size - max(-high, 0)) for size, (low, high) in sizes)]


def _middle(x: Array, pads: Pads) -> tuple[slice, ...]:
    """Where what is kept of x lies in the padded array."""
    lows = [0] * (x.ndim - len(pads)) + [max(low, 0) for low, _ in pads]
    return tuple(slice(low, low + size) for low, size in zip(lows, _kept(x, pads).shape, strict=True))


def _copies(padded: Array, pads: Pads, border: Border) -> Iterator[tuple[Array, Array]]:
    """Which stretch of the border is copied from which stretch of the middle. Dimensions that are not padded yet
    are copied with whatever their borders hold, which is written over when their turn comes.
    """
    for dim, sides in enumerate(pads, start=padded.ndim - len(pads)):
        along, (low, high) = np.moveaxis(padded, dim, 0), (max(side, 0) for side in sides)
        end = len(along) - high
        if border == "reflect":
            yield along[:low], along[low + 1 : 2 * low + 1][::-1]
            yield along[end:], along[end - 1 - high : end - 1][::-1]
        elif border == "circular":
            yield along[:low], along[end - low : end]
            yield along[end:], along[low : low + high]
        else:
            yield from ((along[i], along[low]) for i in range(low))
            yield from ((along[i], along[end - 1]) for i in range(end, len(along)))
