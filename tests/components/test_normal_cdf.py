"""The normal distribution function, against the C library's erfc."""

from __future__ import annotations

import math

import numpy as np
import pytest

from components.harness import DTYPES
from declnet import testing
from declnet.activations.gelu import GELU
from declnet.activations.normal_cdf import normal_cdf
from declnet.core.spec import Array, DType

POINTS = np.concatenate([np.linspace(-40, 40, 80_001), np.linspace(-3, 3, 80_001)])


def evaluate(x: Array) -> tuple[Array, Array]:
    cdf, density, work = (np.full_like(x, np.nan) for _ in range(3))
    with np.errstate(over="ignore"):
        normal_cdf(x, cdf, density, work)()
    return cdf, density


@pytest.mark.parametrize(("dtype", "bound"), list(zip(DTYPES, (2.3e-16, 2.7e-7), strict=True)))
def test_error_bound(dtype: DType, bound: float) -> None:
    x = POINTS.astype(dtype)
    cdf, density = evaluate(x)
    expected = np.array([math.erfc(-value / math.sqrt(2)) / 2 for value in x.tolist()])
    assert np.abs(cdf - expected).max() <= bound
    assert np.abs(density - np.exp(-(x.astype("float64") ** 2) / 2)).max() <= 2 * np.finfo(dtype).eps


@pytest.mark.parametrize("dtype", DTYPES)
def test_ends(dtype: DType) -> None:
    x = np.array([-np.inf, -1e30, 0.0, 1e30, np.inf, np.nan], dtype)
    np.testing.assert_array_equal(evaluate(x)[0], [0, 0, 0.5, 1, 1, np.nan])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu_of_infinity(approximate: str, dtype: DType) -> None:
    """inf * 1, and -inf * 0. PyTorch's kernels for some CPUs give NaN for both: no case in the tables."""
    gelu = GELU.model_validate({"approximate": approximate})
    output = testing.run(gelu, [np.array([np.inf, -np.inf])], dtype=dtype).output
    np.testing.assert_array_equal(output, [np.inf, np.nan])
