"""By what the number of threads is chosen: the largest single matrix product, not all that a component does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from declnet.core import threads
from declnet.core.component import Module
from declnet.core.spec import Array, Spec
from declnet.layers.conv import Conv1d, Conv2d, Conv3d
from declnet.layers.linear import Linear
from declnet.testing import run

CASES: dict[str, tuple[Module, tuple[int, ...]]] = {
    "Conv1d, several samples to a part": (Conv1d(out_channels=6, kernel_size=3), (40, 5, 100)),
    "Conv1d, dilated": (Conv1d(out_channels=6, kernel_size=3, dilation=4, padding=8), (3, 5, 900)),
    "Conv2d, a product for each row of the kernel": (Conv2d(out_channels=4, kernel_size=3), (2, 8, 30, 30)),
    "Conv2d, groups": (Conv2d(out_channels=4, kernel_size=3, groups=2), (2, 8, 30, 30)),
    "Conv2d, strides": (Conv2d(out_channels=9, kernel_size=3, stride=2), (4, 6, 20, 20)),
    "Conv2d, a narrow output": (Conv2d(out_channels=2, kernel_size=5), (1, 12, 40, 40)),
    "Conv3d": (Conv3d(out_channels=4, kernel_size=2, padding=1), (2, 3, 9, 9, 9)),
    "Linear": (Linear(out_features=7), (30, 11)),
}


@pytest.mark.parametrize("case", CASES)
def test_the_largest_product_is_foretold(monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    """Each multiply-add counts as two; a stack of matrices is a product for each."""
    module, shape = CASES[case]
    matmul, seen = np.matmul, [0]

    def watched(a: Array, b: Array, **out: Any) -> Array:
        if a.ndim > 1 and b.ndim > 1:
            seen.append(2 * a.shape[-2] * a.shape[-1] * b.shape[-1])
        return matmul(a, b, **out)

    x = np.random.default_rng(0).standard_normal(shape)
    monkeypatch.setattr(np, "matmul", watched)
    found = run(module, [x], grad_output=1.0)
    monkeypatch.undo()
    bias = found.output.size if isinstance(module, Linear) else 0  # Linear says all that it does
    assert module.product(Spec(shape)) == max(seen) + bias


def test_small_products_take_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the second ones are too small to be shared; as many as before once that is done."""
    counts = [4]
    monkeypatch.setattr(threads, "_openblas", lambda: (lambda: counts[-1], counts.append))
    with threads.threads_for(threads.SMALL):
        assert counts == [4]
    with threads.threads_for(threads.SMALL - 1):
        assert counts == [4, 1]
    assert counts == [4, 1, 4]
