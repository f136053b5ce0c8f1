"""Which rows go together: shares of them at random, by class, by group, or in their order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from declnet.core.spec import Array

FUZZ = 1e-9
"""Of a row: what the sum of shares may be off by."""


def at_random(rows: int, shares: Sequence[float], rng: np.random.Generator) -> list[Array]:
    """Row numbers of each share, drawn at random, each in ascending order.

    The ends are rounded, not the sizes, so shares that sum to 1 leave no row out.
    """
    order = rng.permutation(rows)
    return [np.sort(order[start:end]) for start, end in _ends(rows, shares)]


def in_order(rows: int, shares: Sequence[float]) -> list[Array]:
    """Row numbers of each share: the first ones, those after them, and so on."""
    return [np.arange(start, end) for start, end in _ends(rows, shares)]


def _ends(rows: int, shares: Sequence[float]) -> list[tuple[int, int]]:
    ends = np.rint(np.minimum(np.cumsum(shares), 1) * rows).astype(int)
    return list(pairwise([0, *ends.tolist()]))


def by_class(classes: Array, shares: Sequence[float], rng: np.random.Generator) -> list[Array]:
    """Row numbers of each share, drawn at random within each class, each in ascending order.

    Of every class a share has its exact part, rounded up or down. Which way, that is decided class by class in
    favour of the share that has come off worst so far, so that sizes come out right in all, too.
    """
    whole = _whole(shares)
    owed = np.zeros(len(whole))
    pieces: list[list[Array]] = [[] for _ in whole]
    for members in _members(classes):
        exact = len(members) * whole
        sizes = np.floor(exact + FUZZ).astype(int)
        broken = exact - sizes > FUZZ
        owed += exact - sizes
        for _ in range(len(members) - int(sizes.sum())):
            worst = int(np.argmax(np.where(broken, owed, -np.inf)))
            broken[worst] = False
            sizes[worst] += 1
            owed[worst] -= 1
        order = rng.permutation(members)
        for piece, rows in zip(pieces, np.split(order, np.cumsum(sizes)[:-1]), strict=True):
            piece.append(rows)
    return [np.sort(np.concatenate([np.empty(0, int), *piece])) for piece in pieces[: len(shares)]]


def by_group(groups: Array, shares: Sequence[float], rng: np.random.Generator) -> list[Array]:
    """Row numbers of each share, each in ascending order, and no group in two of them.

    From the largest group to the smallest, those of one size in random order, each goes to the share that lacks the
    most rows; the last ones to shares that would have none.
    """
    members = _members(groups)
    order = rng.permutation(len(members)).tolist()
    order.sort(key=lambda group: -len(members[group]))  # stable: those of one size stay as they were drawn
    lacking = (_whole(shares) * len(groups)).tolist()
    bare = {share for share, rows in enumerate(lacking[: len(shares)]) if rows > 0}
    pieces: list[list[Array]] = [[] for _ in lacking]
    for done, group in enumerate(order):
        open_to = sorted(bare) if len(order) - done <= len(bare) else range(len(lacking))
        share = max(open_to, key=lacking.__getitem__)
        bare.discard(share)
        pieces[share].append(members[group])
        lacking[share] -= len(members[group])
    return [np.sort(np.concatenate([np.empty(0, int), *piece])) for piece in pieces[: len(shares)]]


def _whole(shares: Sequence[float]) -> Array:
    """The shares, and what they leave out."""
    rest = 1 - sum(shares)
    return np.array([*shares, rest if rest > FUZZ else 0.0])


def _members(labels: Array) -> list[Array]:
    """The rows of each different value, in the order of the values."""
    _, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    return np.split(np.argsort(codes, kind="stable"), np.cumsum(counts)[:-1])
