"""Sums that are made of BLAS's products: the exact sum, to within the rounding of a sum by pairs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from declnet.core.numerics import SHORT, Pair, add_products, row_sums

Array = np.ndarray[Any, Any]

SIZES = 0, 1, SHORT, SHORT + 1, 3 * SHORT, SHORT**2 + SHORT + 3
"""None, one, a line of terms, a little more, several, and more than a line of lines."""

ERROR = 64 * 2.0**-24
"""Of float32 in a sum of terms without a sign, relative to it: what 64 additions one after another may come to,
of up to a million terms.
"""


def numbers(*shape: int, seed: int = 0) -> Array:
    """From 0 to 1."""
    return np.random.default_rng(seed).random(shape, np.float32)


@pytest.mark.parametrize("size", SIZES)
def test_products_of_pairs(size: int) -> None:
    """Two vectors, one alone, and one by itself, each with a factor; in a second run of what was bound too."""
    left, right = numbers(size), numbers(size, seed=1)
    pairs: list[Pair] = [(left, right, 1), (left, None, -0.5), (right, right, 3)]
    out = np.full((), np.nan, np.float32)
    action = add_products(pairs, out)
    for change in (1, 2):
        left *= change
        action()
        exact = [
            [
                factor * float(a) * float(b)
                for a, b in zip(one, np.ones_like(one) if two is None else two, strict=True)
            ]
            for one, two, factor in pairs
        ]
        size_of_terms = sum(abs(math.fsum(terms)) for terms in exact)
        assert abs(float(out) - math.fsum(map(math.fsum, exact))) <= ERROR * size_of_terms


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("alone", [True, False])
def test_a_single_pair(size: int, alone: bool) -> None:
    """A vector with another or with ones."""
    left, right = numbers(size), numbers(size, seed=1)
    out = np.full((), np.nan, np.float32)
    add_products([(left, None if alone else right, 1)], out)()
    exact = math.fsum(float(a) * (1 if alone else float(b)) for a, b in zip(left, right, strict=True))
    assert abs(float(out) - exact) <= ERROR * exact


def test_integers_add_up_to_an_integer() -> None:
    """As integers: float32 has no room for these digits."""
    out = np.zeros((), np.int64)
    terms = np.full(5000, 2**40 + 1)
    add_products([(terms, None, 1)], out)()
    assert out == 5000 * (2**40 + 1)


@pytest.mark.parametrize("shape", [(1, 5, 1), (7, SHORT, 1), (3, 4 * SHORT, 1), (1, 9, 6), (2, 9, 6), (1, 1000, 3)])
def test_sums_over_rows(shape: tuple[int, int, int]) -> None:
    """Next to each other or apart, few and many."""
    source = numbers(*shape)
    target = np.full((shape[0], shape[2]), np.nan, np.float32)
    row_sums(source, target)()
    np.testing.assert_allclose(target, source.sum(1, dtype=np.float64), rtol=ERROR)
