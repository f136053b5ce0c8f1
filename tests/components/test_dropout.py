"""The law of dropout: which elements go, what the others are worth, and where the chance comes from."""

from __future__ import annotations

import random

import numpy as np
import pytest

from components.harness import DTYPES
from declnet.core.component import Module
from declnet.core.spec import Array, DType
from declnet.dropout.alpha_dropout import AlphaDropout
from declnet.dropout.dropout import Dropout
from declnet.errors import ShapeError
from declnet.testing import Bound, run

SIZE = 100_000
SIGMAS = 5


def masks(p: float, dtype: DType, *, seed: int = 0, size: int = SIZE) -> Array:
    """What ones become."""
    return run(Dropout(p=p), [np.ones(size)], dtype=dtype, seed=seed).output


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("p", [0.001, 0.1, 0.5, 0.75, 0.999])
def test_kept_fraction(p: float, dtype: DType) -> None:
    """Binomial: within five standard deviations of 1 - p; kept elements are worth 1 / (1 - p) to the last bit."""
    output = masks(p, dtype)
    kept = output != 0
    assert abs(kept.mean() - (1 - p)) < SIGMAS * np.sqrt(p * (1 - p) / SIZE)
    assert set(np.unique(output)) == {0, np.dtype(dtype).type(1 / (1 - p))}


@pytest.mark.parametrize("dtype", DTYPES)
def test_elements_are_independent(dtype: DType) -> None:
    """Neighbours at any distance agree half of the time, and so do two seeds."""
    kept = masks(0.5, dtype) != 0
    others = [np.roll(kept, shift) for shift in (1, 2, 3, 4, 8, 64, 1024, SIZE // 2)]
    for other in [*others, masks(0.5, dtype, seed=1) != 0]:
        assert abs((kept == other).mean() - 0.5) < SIGMAS * 0.5 / np.sqrt(SIZE / 2)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_gradient_goes_through_the_same_mask(p: float, dtype: DType) -> None:
    upstream = np.random.default_rng(1).normal(size=SIZE)
    found = run(Dropout(p=p), [np.ones(SIZE)], grad_output=upstream, dtype=dtype)
    np.testing.assert_array_equal(found.grad_inputs[0], upstream.astype(dtype) * found.output)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("p", "training"), [(0.5, False), (1.0, False), (0.0, False), (0.0, True)])
def test_identity(p: float, training: bool, dtype: DType) -> None:
    x = np.random.default_rng(1).normal(size=(4, 5))
    found = run(Dropout(p=p), [x], training=training, grad_output=2.0, dtype=dtype)
    np.testing.assert_array_equal(found.output, x.astype(dtype))
    assert all((grad == 2).all() for grad in found.grad_inputs if grad is not None)


@pytest.mark.parametrize("dtype", DTYPES)
def test_nothing_is_kept_at_one(dtype: DType) -> None:
    assert not masks(1.0, dtype).any()
    assert not masks(1, dtype).any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_seed_gives_its_masks(dtype: DType) -> None:
    np.testing.assert_array_equal(masks(0.5, dtype, seed=7), masks(0.5, dtype, seed=7))
    assert (masks(0.5, dtype, seed=7) != masks(0.5, dtype, seed=8)).any()


def test_global_generators_are_left_alone() -> None:
    before = np.random.get_state(legacy=False)
    python = random.getstate()
    masks(0.5, "float32")
    np.testing.assert_equal(np.random.get_state(legacy=False), before)
    assert random.getstate() == python


@pytest.mark.parametrize("dtype", DTYPES)
def test_masks_differ_from_step_to_step(dtype: DType) -> None:
    """One bound step draws on each time it is run."""
    bound = Bound(Dropout(), [np.ones(SIZE)], grad_output=1.0, dtype=dtype)
    first, second = bound.run(), bound.run()
    agreement = (first.output == second.output).mean()
    assert abs(agreement - 0.5) < SIGMAS * 0.5 / np.sqrt(SIZE)
    np.testing.assert_array_equal(second.gradients["input"], second.output)


@pytest.mark.parametrize("dropout", [Dropout, AlphaDropout])
@pytest.mark.parametrize("values", [np.array([3, -1, 0]), np.array([True, False])])
def test_evaluation_lets_all_kinds_through(dropout: type[Module], values: Array) -> None:
    """Which training, where they would be scaled, does not."""
    module = dropout.model_validate({"p": 0.5})
    output = run(module, [values], training=False).output
    assert output.dtype == values.dtype
    np.testing.assert_array_equal(output, values)
    with pytest.raises(ShapeError, match="takes floating-point numbers but its input holds"):
        run(module, [values])
