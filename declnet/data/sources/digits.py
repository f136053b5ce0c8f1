"""Digits: small handwritten digits, built in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, final

import numpy as np

from declnet.core.registry import sources
from declnet.core.source import Column, Source
from declnet.core.spec import Array

LEVELS = 16
"""A pixel counts the inked points of a 4x4 block: 0 to 16."""


@sources.register
@final
class Digits(Source):
    """1,797 handwritten digits of 13 people, 8x8 pixels each, with the digit that was meant.

    Built into declnet, so a first run needs no download. The rows are in scikit-learn's order.

    Shape:
        image: (64,) floats in [0, 1], row after row from the top left; (1, 8, 8) when flatten is false.
        label: an integer from 0 to 9.

    Parameters:
        flatten: whether an image is a vector of 64 pixels, or one channel of 8 by 8.

    Reference: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
        Repository, 1998, CC BY 4.0, https://doi.org/10.24432/C50P49; through scikit-learn's copy, which
        holds the test part of the UCI set
    """

    inputs: ClassVar[dict[str, str]] = {"x": "image"}
    targets: ClassVar[dict[str, str]] = {"y": "label"}

    type: Literal["Digits"] = "Digits"
    flatten: bool = True

    def columns(self) -> dict[str, Column]:
        """image and label; no file is opened."""
        return {"image": Column((64,) if self.flatten else (1, 8, 8), "float"), "label": Column((), "int")}

    def read(self, columns: Sequence[str]) -> dict[str, Array]:
        """The rows: float32 pixels, int64 labels."""
        from importlib.resources import files

        known = self.columns()
        with (
            (files(__package__) / "digits.npz").open("rb") as file,
            np.load(file, allow_pickle=False) as packed,
        ):
            image = (packed["image"] / np.float32(LEVELS)).reshape(-1, *known["image"].shape)
            table: dict[str, Array] = {"image": image, "label": packed["label"].astype(np.int64)}
        return {name: table[name] for name in columns}
