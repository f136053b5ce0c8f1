"""Batches for the networks of this folder: noise, because only shapes count, and digits where there are some."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from benchmarks.frame import ROOT

Array = np.ndarray[Any, Any]
Columns = Mapping[str, Array]
"""Rows of each data field."""

DIGITS: Final = ROOT / "declnet" / "data" / "sources" / "digits.npz"
CHARACTERS: Final = 65
"""Different ones in the text of configs/shakespeare.yaml."""


def digits(rows: int) -> Columns:
    """The digits, again and again."""
    with np.load(DIGITS) as packed:
        x, y = (packed["image"] / 16).astype(np.float32), packed["label"].astype(np.int64)
    order = np.arange(rows) % len(x)
    return {"x": x[order], "y": y[order]}


def images(rows: int, *shape: int) -> Columns:
    """Noise of a shape, and ten classes."""
    rng = np.random.default_rng(0)
    return {"x": rng.standard_normal((rows, *shape), np.float32), "y": rng.integers(10, size=rows)}


def text(rows: int) -> Columns:
    """Windows of noise, each with the characters that follow."""
    windows = np.random.default_rng(0).integers(CHARACTERS, size=(rows, 129))
    return {"x": windows[:, :-1].copy(), "y": windows[:, 1:].copy()}


def likes(rows: int) -> Columns:
    """A user, an item, and whether one likes the other."""
    rng = np.random.default_rng(0)
    user, item = rng.integers(100_000, size=(2, rows))
    return {"user": user, "item": item, "like": rng.integers(2, size=(rows, 1)).astype(np.float32)}


def triplets(rows: int) -> Columns:
    """Three images."""
    rng = np.random.default_rng(0)
    return {name: rng.random((rows, 784), np.float32) for name in ("anchor", "positive", "negative")}


DATA: Final[Mapping[str, Callable[[int], Columns]]] = {
    "digits_mlp": digits,
    "regularized_mlp": digits,
    "wide_mlp": lambda rows: images(rows, 784),
    "mnist_cnn": lambda rows: images(rows, 1, 28, 28),
    "residual_cnn": lambda rows: images(rows, 3, 32, 32),
    "characters": text,
    "recommender": likes,
    "siamese": triplets,
    "tiny_nodes": lambda rows: {"x": images(rows, 8)["x"], "y": images(rows)["y"] % 8},
    "conv3d": lambda rows: images(rows, 4, 16, 16, 16),
}
"""By the name of the config; the first columns are what the network reads, the last its target."""
