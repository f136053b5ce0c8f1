"""The laws of the dropouts but Dropout, which has test_dropout.py: whole channels, and AlphaDropout's moments."""

from __future__ import annotations

import numpy as np
import pytest

from components.harness import DTYPES
from declnet.core.component import Module
from declnet.core.spec import Array, DType
from declnet.dropout.alpha_dropout import SATURATION, AlphaDropout
from declnet.dropout.dropout import Dropout1d, Dropout2d, Dropout3d
from declnet.testing import Bound, run

SIGMAS = 5
CHANNELS = 60_000

SHAPES = {
    (Dropout1d, 3): (CHANNELS // 30, 30, 4),
    (Dropout1d, 2): (CHANNELS, 4),
    (Dropout2d, 4): (CHANNELS // 30, 30, 2, 2),
    (Dropout2d, 3): (CHANNELS // 30, 30, 4),
    (Dropout3d, 5): (CHANNELS // 30, 30, 2, 1, 2),
    (Dropout3d, 4): (CHANNELS, 2, 1, 2),
}
"""Ranks that each takes, and a shape with as many channels of four places."""

channelwise = pytest.mark.parametrize(
    ("cls", "shape"), [pytest.param(cls, shape, id=f"{cls.__name__}{shape}") for (cls, _), shape in SHAPES.items()]
)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("p", [0.1, 0.5, 0.999])
@channelwise
def test_whole_channels(cls: type[Module], shape: tuple[int, ...], p: float, dtype: DType) -> None:
    """A channel goes or stays as one, each on its own; what stays is worth 1 / (1 - p) to the last bit."""
    output = run(cls.model_validate({"p": p}), [np.ones(shape)], dtype=dtype).output.reshape(CHANNELS, 4)
    assert (output == output[:, :1]).all()
    kept = output[:, 0] != 0
    assert abs(kept.mean() - (1 - p)) < SIGMAS * np.sqrt(p * (1 - p) / CHANNELS)
    assert set(np.unique(output)) == {0, np.dtype(dtype).type(1 / (1 - p))}
    if p == 0.5:
        for shift in (1, 2, 8, 30, 60, CHANNELS // 2):
            assert abs((kept == np.roll(kept, shift)).mean() - 0.5) < SIGMAS * 0.5 / np.sqrt(CHANNELS / 2)


@pytest.mark.parametrize("dtype", DTYPES)
@channelwise
def test_channels_in_backward(cls: type[Module], shape: tuple[int, ...], dtype: DType) -> None:
    """The gradient goes through the same mask."""
    upstream = np.random.default_rng(1).normal(size=shape)
    found = run(cls.model_validate({"p": 0.3}), [np.ones(shape)], grad_output=upstream, dtype=dtype)
    np.testing.assert_array_equal(found.grad_inputs[0], upstream.astype(dtype) * found.output)


def alpha(p: float, x: Array, dtype: DType) -> tuple[Array, Array]:
    """The output, and the gradient of its sum: the slope of each element."""
    found = run(AlphaDropout(p=p), [x], grad_output=1.0, dtype=dtype)
    assert found.grad_inputs[0] is not None
    return found.output, found.grad_inputs[0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("p", [0.001, 0.1, 0.5, 0.9])
def test_alpha_keeps_mean_and_variance(p: float, dtype: DType) -> None:
    """Of numbers with mean 0 and variance 1, within five standard errors (that of the variance by the kurtosis)."""
    size = 200_000
    x = np.random.default_rng(3).normal(size=size)
    output, _ = alpha(p, (x - x.mean()) / x.std(), dtype)
    kurtosis = np.mean((output - output.mean()) ** 4) / output.var() ** 2
    assert abs(output.mean()) < SIGMAS / np.sqrt(size)
    assert abs(output.var() - 1) < SIGMAS * np.sqrt((kurtosis - 1) / size)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("p", [0.001, 0.1, 0.5, 0.9, 0.999])
def test_alpha_of_each_element(p: float, dtype: DType) -> None:
    """Dropped: a * -1.7581 + b. Kept: a * x + b. The slope is 0 or a, and a fraction p is dropped."""
    size = 100_000
    x = np.random.default_rng(3).normal(size=size)
    output, slope = alpha(p, x, dtype)
    a = ((1 - p) * (1 + SATURATION**2 * p)) ** -0.5
    b = SATURATION * a * p
    kept = slope != 0
    assert abs(kept.mean() - (1 - p)) < SIGMAS * np.sqrt(p * (1 - p) / size)
    np.testing.assert_allclose(slope[kept], a, 1e-6)
    np.testing.assert_allclose(output, a * np.where(kept, x, -SATURATION) + b, 1e-5, 1e-5 * a)


def test_alpha_masks_differ_from_step_to_step() -> None:
    """One bound step draws on each time it is run; the gradient follows."""
    size = 100_000
    bound = Bound(AlphaDropout(), [np.ones(size)], grad_output=1.0)
    first, second = bound.run(), bound.run()
    agreement = (first.output == second.output).mean()
    assert abs(agreement - 0.5) < SIGMAS * 0.5 / np.sqrt(size)
    dropped = second.output.min()
    np.testing.assert_array_equal(second.gradients["input"] == 0, second.output == dropped)
