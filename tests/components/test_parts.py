"""Kernels that cut their work into parts: however it is cut, the numbers are the same."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from components.harness import DTYPES
from declnet.core.component import Module
from declnet.core.registry import modules
from declnet.core.spec import Array
from declnet.layers import correlation, embedding
from declnet.layers.conv import Conv2d
from declnet.pooling import windows as pooling_windows
from declnet.testing import Run, run

Arguments = dict[str, object]

RNG = np.random.default_rng(0)
IMAGES = RNG.standard_normal((5, 4, 9, 7))
INDICES = RNG.integers(0, 6, (4, 5))

CASES: list[tuple[str, Arguments, Array]] = [
    ("Conv1d", {"out_channels": 6, "kernel_size": 3, "padding": 2}, IMAGES[:, 0]),
    ("Conv2d", {"out_channels": 6, "kernel_size": 3, "padding": 1}, IMAGES),
    ("Conv2d", {"out_channels": 3, "kernel_size": 3, "dilation": 2}, IMAGES),
    ("Conv2d", {"out_channels": 40, "kernel_size": 3, "padding": 1}, IMAGES),
    ("Conv2d", {"out_channels": 4, "kernel_size": 3, "stride": 2, "padding": 1, "groups": 2}, IMAGES),
    ("Conv2d", {"out_channels": 2, "kernel_size": 3, "padding": 2, "padding_mode": "circular"}, IMAGES),
    ("Conv2d", {"out_channels": 2, "kernel_size": 3, "padding": 1}, IMAGES),
    ("Conv2d", {"out_channels": 2, "kernel_size": (2, 3), "dilation": 2, "padding": 3, "groups": 2}, IMAGES),
    ("Conv2d", {"out_channels": 2, "kernel_size": 1}, IMAGES),
    ("Conv3d", {"out_channels": 2, "kernel_size": 2, "padding": 1}, IMAGES[:, None]),
    ("Embedding", {"num_embeddings": 6, "embedding_dim": 3, "scale_grad_by_freq": True}, INDICES),
    ("Embedding", {"num_embeddings": 6, "embedding_dim": 3, "max_norm": 1.0}, INDICES),
    ("MaxPool2d", {"kernel_size": 3, "stride": 2, "padding": 1}, IMAGES),
    ("MaxPool2d", {"kernel_size": (3, 7)}, IMAGES),
    ("AvgPool2d", {"kernel_size": 3, "stride": 2, "padding": 1}, IMAGES),
]

SIZES: list[tuple[ModuleType, str]] = [
    (correlation, "POSITIONS"),
    (correlation, "LARGEST"),
    (embedding, "BLOCK"),
    (pooling_windows, "AT_ONCE"),
]


@pytest.mark.parametrize(
    ("name", "arguments", "x"), [pytest.param(*case, id=f"{case[0]}({case[1]})") for case in CASES]
)
@pytest.mark.parametrize("sizes", [(1, 1), (1, 999), (150, 1), (400, 130), (1 << 20, 1)])
def test_any_parts(
    name: str, arguments: Arguments, x: Array, sizes: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sizes`: elements of a part at most, and positions at least."""
    module = modules[name].model_validate(arguments)
    assert isinstance(module, Module)
    for dtype in DTYPES:
        whole = run(module, [x], grad_output=1.0, dtype=dtype)
        with monkeypatch.context() as patched:
            for place, constant in SIZES:
                patched.setattr(place, constant, sizes[constant == "POSITIONS"])
            parts = run(module, [x], grad_output=1.0, dtype=dtype)
        assert_near(parts, whole)


def assert_near(given: Run, wanted: Run) -> None:
    """Sums come in another order, nothing else changes."""
    pairs = [(given.output, wanted.output), *zip(given.grad_inputs, wanted.grad_inputs, strict=True)]
    pairs += [(given.grads[key], wanted.grads[key]) for key in wanted.grads]
    pairs += [(given.params[key], wanted.params[key]) for key in wanted.params]
    for one, other in pairs:
        if one is not None and other is not None:
            scale = np.abs(other).max(initial=1)
            np.testing.assert_allclose(one / scale, other / scale, rtol=0, atol=8 * np.finfo(other.dtype).eps)


@pytest.mark.parametrize("dilation", [1, 2])
def test_the_last_axis_is_spread_where_outputs_are_few(dilation: int) -> None:
    """And the numbers are those of the definition, whatever lies behind the end of a row."""
    few, many = Conv2d(out_channels=1, kernel_size=3, dilation=dilation), Conv2d(out_channels=20, kernel_size=3)
    assert few._correlation(IMAGES.shape).spread == 3
    assert many._correlation(IMAGES.shape).spread == 1
    x = IMAGES.copy()
    x[0, 1, 2, 3], x[1, 2, :, -1] = np.inf, np.nan  # the last column is not read by every tap
    given = run(few, [x], grad_output=1.0)
    windows = sliding_window_view(x, (2 * dilation + 1,) * 2, axis=(2, 3))[..., ::dilation, ::dilation]
    with np.errstate(invalid="ignore"):
        wanted = np.einsum("nchwij,ocij->nohw", windows, given.params["weight"])
    wanted += given.params["bias"][:, None, None]
    np.testing.assert_allclose(given.output, wanted, rtol=1e-12, atol=1e-12)
    wanted = np.broadcast_to(windows.sum(axis=(0, 2, 3)), given.grads["weight"].shape)
    np.testing.assert_allclose(given.grads["weight"], wanted, rtol=1e-12, atol=1e-12)
