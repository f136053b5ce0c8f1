"""Gradient clipping: what is done to the gradients between backward and the optimizer."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from declnet.config.loop import Loop
from declnet.core.spec import Array
from declnet.core.threads import cut, side_by_side
from declnet.plan.store import Store

SMALL = 1e-6
"""What PyTorch adds to the norm before it divides by it."""


def clipping(loop: Loop, store: Store) -> Callable[[], None] | None:
    """What clips the gradients of all trained parameters, None where nothing does."""
    if loop.clip_norm is not None:
        return _by_norm(loop.clip_norm, store)
    if loop.clip_value is not None:
        return _by_value(loop.clip_value, store)
    return None


def _by_norm(most: float, store: Store) -> Callable[[], None]:
    """gradient *= min(1, clip_norm / (norm + 1e-6)), with the norm over all parameters."""
    share = np.empty((), store.gradient.dtype)
    parts = [grad.reshape(-1) for grad in store.grads.values() if grad is not None]  # without the gaps
    scale = side_by_side([partial(np.multiply, lane, share, out=lane) for lane in _lanes(store)])

    def clip() -> None:
        share[...] = most / (math.sqrt(sum(float(np.dot(part, part)) for part in parts)) + SMALL)
        if not share >= 1:  # NaN too: it is to be seen
            scale()

    return clip


def _by_value(most: float, store: Store) -> Callable[[], None]:
    """Each component of the gradient into [-clip_value, clip_value]."""
    low, high = (np.array(end, store.gradient.dtype) for end in (-most, most))
    return side_by_side([partial(np.clip, lane, low, high, out=lane) for lane in _lanes(store)])


def _lanes(store: Store) -> list[Array]:
    """The gradient, cut into what threads may take."""
    return [store.gradient[lane] for lane in cut(store.gradient.size, 2)]
