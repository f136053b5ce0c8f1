"""Losses cut their work into lanes of blocks: however it is cut, the numbers are the same."""

from __future__ import annotations

import numpy as np
import pytest

from components.harness import DTYPES
from components.test_parts import assert_near
from declnet.core import threads
from declnet.core.component import Module
from declnet.core.registry import losses
from declnet.core.spec import Array
from declnet.losses import elements
from declnet.testing import run

Arguments = dict[str, object]

RNG = np.random.default_rng(0)
SHAPE = (37, 11)
NORMAL, OTHER = RNG.standard_normal((2, *SHAPE))
PROBABILITIES = RNG.uniform(0.01, 0.99, SHAPE)
ONES = (RNG.random(SHAPE) < 0.5).astype(float)
CLASSES = RNG.integers(0, SHAPE[1], SHAPE[0])
WEIGHTS = tuple(np.linspace(0.5, 2, SHAPE[1]).tolist())

CASES: list[tuple[str, Arguments, tuple[Array, ...]]] = [
    ("MSELoss", {}, (NORMAL, OTHER)),
    ("MSELoss", {"reduction": "none"}, (NORMAL, OTHER)),
    ("L1Loss", {"reduction": "sum"}, (NORMAL, OTHER)),
    ("HuberLoss", {"delta": 0.3}, (NORMAL, OTHER)),
    ("SmoothL1Loss", {"beta": 0.3}, (NORMAL, OTHER)),
    ("BCELoss", {}, (PROBABILITIES, ONES)),
    ("BCELoss", {"weight": WEIGHTS}, (PROBABILITIES, ONES)),
    ("BCEWithLogitsLoss", {"weight": 3.0, "pos_weight": WEIGHTS}, (NORMAL, ONES)),
    ("BCEWithLogitsLoss", {"reduction": "none"}, (NORMAL, ONES)),
    ("KLDivLoss", {"reduction": "batchmean"}, (NORMAL, PROBABILITIES)),
    ("KLDivLoss", {"log_target": True}, (NORMAL, OTHER[:1])),
    ("TripletMarginLoss", {"swap": True}, (NORMAL, OTHER, PROBABILITIES)),
    ("TripletMarginLoss", {"p": 1.0, "reduction": "none"}, (NORMAL, OTHER[:1], PROBABILITIES)),
    ("CrossEntropyLoss", {}, (NORMAL, CLASSES)),
    ("CrossEntropyLoss", {"weight": WEIGHTS, "ignore_index": 3}, (NORMAL, CLASSES)),
]


@pytest.mark.parametrize(
    ("name", "arguments", "inputs"), [pytest.param(*case, id=f"{case[0]}({case[1]})") for case in CASES]
)
@pytest.mark.parametrize("block", [1, 70, 1 << 15])
def test_any_blocks(
    name: str, arguments: Arguments, inputs: tuple[Array, ...], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several lanes, of blocks of that many elements."""
    loss = losses[name].model_validate({"type": name} | arguments)
    assert isinstance(loss, Module)
    for dtype in DTYPES:
        whole = run(loss, inputs, grad_output=1.0, dtype=dtype)
        with monkeypatch.context() as patched:
            patched.setattr(elements, "LONG", block)
            patched.setattr(threads, "LANE", 100)
            parts = run(loss, inputs, grad_output=1.0, dtype=dtype)
        assert_near(parts, whole)


@pytest.mark.parametrize(
    ("name", "arguments", "difference", "loss"),
    [
        ("HuberLoss", {"delta": 1e25}, 1e20, np.inf),  # not infinity less infinity
        ("SmoothL1Loss", {"beta": 1e25}, 1e12, 0.05),
        ("SmoothL1Loss", {"beta": 1e-38}, 1e-3, 1e-3),  # whose product with beta has few digits left
    ],
)
def test_bends_whose_squares_are_no_numbers(
    name: str, arguments: Arguments, difference: float, loss: float
) -> None:
    """In float32, where losses are summed: as PyTorch has it."""
    subject = losses[name].model_validate({"type": name, "reduction": "sum"} | arguments)
    assert isinstance(subject, Module)
    ended = run(subject, (np.full(1, difference), np.zeros(1)), dtype="float32")
    np.testing.assert_allclose(ended.output, np.float32(loss), rtol=1e-6)
