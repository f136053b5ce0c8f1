"""Splits: every row in one share at most, none left out, the same for the same seed."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from declnet.core.random import generator
from declnet.core.spec import Array
from declnet.data.splits import at_random as split
from declnet.data.splits import by_class, by_group, in_order

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


def whole(pieces: list[Array], rows: int) -> None:
    """Each row is in one piece at most, and each piece is in order."""
    chosen = np.concatenate(pieces)
    assert len(np.unique(chosen)) == len(chosen)
    assert ((chosen >= 0) & (chosen < rows)).all()
    for piece in pieces:
        assert (np.diff(piece) > 0).all()


LABELS = st.lists(st.integers(-2, 7), min_size=1, max_size=400)


@settings(max_examples=200, derandomize=True, deadline=None, database=None)
@given(labels=LABELS, shares=SHARES, seed=st.integers(0, 2**63))
def test_stratified_each_class_has_its_share(labels: list[int], shares: list[float], seed: int) -> None:
    values = np.array(labels)
    pieces = by_class(values, shares, generator(seed, "split"))
    whole(pieces, len(values))
    for label in set(labels):
        count = labels.count(label)
        for piece, share in zip(pieces, shares, strict=True):
            assert abs((values[piece] == label).sum() - share * count) < 1 + 1e-6
    if sum(shares) > 1 - 1e-12:
        assert sum(map(len, pieces)) == len(values)


def test_stratified_sizes_are_right_in_all_where_no_class_is_large_enough_for_its_share() -> None:
    """Ten classes of five rows, a tenth to test on: half a row of each class, five in all."""
    values = np.repeat(np.arange(10), 5)
    pieces = by_class(values, [0.8, 0.1, 0.1], generator(0, "split"))
    assert [len(piece) for piece in pieces] == [40, 5, 5]
    other = by_class(values, [0.8, 0.1, 0.1], generator(1, "split"))
    assert not np.array_equal(pieces[0], other[0]), "drawn at random within a class"


@settings(max_examples=200, derandomize=True, deadline=None, database=None)
@given(groups=st.lists(st.integers(0, 30), min_size=1, max_size=300), shares=SHARES, seed=st.integers(0, 2**63))
def test_grouped_no_group_is_in_two_splits(groups: list[int], shares: list[float], seed: int) -> None:
    values = np.array(groups)
    pieces = by_group(values, shares, generator(seed, "split"))
    whole(pieces, len(values))
    owned = [set(values[piece].tolist()) for piece in pieces]
    assert sum(map(len, owned)) == len(set().union(*owned))
    wanted = sum(share > 1e-6 for share in shares)
    if len(set(groups)) >= wanted and sum(shares) > 1 - 1e-12:
        assert all(len(piece) for piece, share in zip(pieces, shares, strict=True) if share > 1e-6)
        assert sum(map(len, pieces)) == len(values)


def test_groups_are_dealt_out_so_that_shares_come_near() -> None:
    values = np.repeat(np.arange(40), np.arange(40) % 7 + 1)
    pieces = by_group(values, [0.6, 0.2, 0.2], generator(0, "split"))
    for piece, share in zip(pieces, [0.6, 0.2, 0.2], strict=True):
        assert abs(len(piece) - share * len(values)) <= 2
    other = by_group(values, [0.6, 0.2, 0.2], generator(1, "split"))
    assert not np.array_equal(pieces[1], other[1]), "drawn at random among those of one size"


def test_texts_can_be_classes_and_groups() -> None:
    values = np.array(["b", "a", "b", "c", "a", "c"])
    assert [set(values[piece]) for piece in by_class(values, [0.5, 0.5], generator(0, "split"))] == [{*"abc"}] * 2
    first, second, third = by_group(values, [1 / 3, 1 / 3, 1 / 3], generator(0, "split"))
    assert all(len(set(values[piece])) == 1 and len(piece) == 2 for piece in (first, second, third))


@settings(max_examples=100, derandomize=True, deadline=None, database=None)
@given(rows=st.integers(0, 500), shares=SHARES)
def test_in_order_the_first_rows_train(rows: int, shares: list[float]) -> None:
    pieces = in_order(rows, shares)
    chosen = np.concatenate(pieces)
    assert np.array_equal(chosen, np.arange(len(chosen)))
    assert all(abs(len(piece) - share * rows) <= 1 for piece, share in zip(pieces, shares, strict=True))
