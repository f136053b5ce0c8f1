"""The guide for people who know PyTorch says what is so: both sides of every pair are run, and give the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from guide.page import GUIDE, Pair, pairs

pytest.importorskip("torch", reason="PyTorch is not installed: pip install --group torch")

from guide import models, one_liners, runs

pytestmark = pytest.mark.torch

CHECKS: dict[str, Callable[[Pair], None]] = {
    function.__name__: function
    for function in (
        one_liners.values,
        one_liners.walk,
        one_liners.rates,
        one_liners.law,
        models.outputs,
        models.steps,
        models.laws,
        models.dtypes,
        runs.run,
        runs.loader,
        runs.loop,
        runs.reading,
    )
}
"""By the names that marks on the page have for them."""

PAIRS = pairs(GUIDE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_a_pair(folder: Path, pair: Pair) -> None:
    CHECKS[pair.kind](pair)


def test_every_check_is_used() -> None:
    assert {pair.kind for pair in PAIRS} == CHECKS.keys() == {kind for kind, _, _ in WRONG}


WRONG = [
    ("values", "negative_slope: 0.2", "negative_slope: 0.21"),
    ("values", "{type: Dropout, p: 0.2}", "{type: Dropout, p: 0.21}"),
    ("values", "{type: Sub, inputs: [a, b]}", "{type: Sub, inputs: [b, a]}"),
    ("values", "weight: [1, 2, 0.5]", "weight: [1, 2, 0.6]"),
    ("values", "inputs: [a, p, n]", "inputs: [p, a, n]"),
    ("walk", "momentum: 0.9", "momentum: 0.91"),
    ("rates", "gamma: 0.5", "gamma: 0.51"),
    ("rates", "patience: 3", "patience: 4"),
    ("law", "{type: normal_, std: 0.02}", "{type: normal_, std: 0.021}"),
    ("law", "{type: orthogonal_, gain: 0.5}", "{type: normal_, std: 0.0625}"),
    ("law", "sparsity: 0.1", "sparsity: 0.12"),
    ("outputs", "- Tanh\n", "- SiLU\n"),
    ("outputs", "{type: Dropout, p: 0.2}", "{type: Dropout, p: 0.3}"),
    ("outputs", "{type: Sequential, freeze: true", "{type: Sequential, freeze: false"),
    ("outputs", "scale: 0.3", "scale: 0.31"),
    ("outputs", "name: stem", "name: root"),
    ("steps", "weight_decay: 0}", "weight_decay: 0.1}"),
    ("steps", "max_iter: 5", "max_iter: 4"),
    ("steps", "warmup: 2", "warmup: 3"),
    ("steps", "interval: step", "interval: epoch"),
    ("laws", "gain: 1.6666666666666667", "gain: 1"),
    ("dtypes", "float64", "float32"),
    ("run", "lr: 1e-3", "lr: 1.1e-3"),
    ("loader", "drop_last: true", "drop_last: false"),
    ("loop", "clip_norm: 0.5", "clip_norm: 0.51"),
    ("loop", "accumulate: 2", "accumulate: 1"),
    ("loop", "ema: 0.9", "ema: 0.91"),
    ("reading", "out_features: 32", "out_features: 33"),
]


@pytest.mark.parametrize(("kind", "right", "wrong"), WRONG)
def test_a_check_sees_what_is_wrong(folder: Path, kind: str, right: str, wrong: str) -> None:
    pair = next(pair for pair in PAIRS if pair.kind == kind and right in pair.yaml)
    with pytest.raises((AssertionError, RuntimeError)):
        CHECKS[kind](replace(pair, yaml=pair.yaml.replace(right, wrong)))
