"""The logarithm of 1 + x is as exact as NumPy's own, however small x is."""

from __future__ import annotations

import numpy as np
import pytest

from declnet.core.spec import DType
from declnet.losses.log1p import log1p

MAGNITUDES = np.concatenate([np.logspace(-30, 0, 5001), np.linspace(0.3, 1, 5000)])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_log1p(dtype: DType) -> None:
    """Against float64's, within four roundings; at -1 it is minus infinity, and NaN below."""
    x = np.concatenate([MAGNITUDES, -MAGNITUDES, [0.0]]).astype(dtype)
    out, work = np.empty((2, x.size), dtype)
    with np.errstate(all="ignore"):
        log1p(x, out, work)
        wanted = np.log1p(x.astype("float64"))
    np.testing.assert_allclose(out, wanted, rtol=4 * np.finfo(dtype).eps, atol=0)
    below, room, spare = np.full((3, 1), -1.5, dtype)
    with np.errstate(all="ignore"):
        log1p(below, room, spare)
    assert np.isnan(room[0])
