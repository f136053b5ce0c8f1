"""Splits: every row in one share at most, none left out, the same for the same seed."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from declnet.core.random import generator
from declnet.data.splits import at_random as split

SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=4).map(
    lambda parts: [part / max(1, sum(parts)) for part in parts]
)


@settings(max_examples=150, derandomize=True, deadline=None, database=None)
@given(rows=st.integers(0, 2000), shares=SHARES, seed=st.integers(0, 2**63))
def test_shares_are_disjoint_and_of_their_size(rows: int, shares: list[float], seed: int) -> None:
    pieces = split(rows, shares, generator(seed, "split"))
    assert len(pieces) == len(shares)
    chosen = np.concatenate(pieces)
    assert len(np.unique(chosen)) == len(chosen)
    assert ((chosen >= 0) & (chosen < rows)).all()
    for piece, share in zip(pieces, shares, strict=True):
        assert abs(len(piece) - share * rows) <= 1
        assert (np.diff(piece) > 0).all()
    again = split(rows, shares, generator(seed, "split"))
    assert all(np.array_equal(one, other) for one, other in zip(pieces, again, strict=True))


@settings(max_examples=150, derandomize=True, deadline=None, database=None)
@given(rows=st.integers(0, 2000), cuts=st.lists(st.integers(0, 100), min_size=2, max_size=2))
def test_shares_of_one_leave_no_row_out(rows: int, cuts: list[int]) -> None:
    first, second = sorted(cuts)
    shares = [first / 100, (second - first) / 100, (100 - second) / 100]  # sums to 1 but for rounding
    pieces = split(rows, shares, generator(0, "split"))
    assert np.array_equal(np.sort(np.concatenate(pieces)), np.arange(rows))


def test_another_seed_draws_other_rows() -> None:
    one, other = (split(100, [0.5, 0.5], generator(seed, "split"))[0] for seed in (0, 1))
    assert not np.array_equal(one, other)
    assert not np.array_equal(one, np.arange(50)), "drawn at random, not cut off"
