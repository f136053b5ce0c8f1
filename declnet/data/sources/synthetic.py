"""Spirals, Moons, Regression: small data made up for teaching, the same for the same seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, final

import numpy as np
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat

from declnet.core.products import require_room_for_products
from declnet.core.registry import sources
from declnet.core.source import Column, Source
from declnet.core.spec import Array

Count = Annotated[int, Field(ge=1, le=10_000_000)]
"""Rows; more than that are no small data."""

Arms = Annotated[int, Field(ge=1, le=1000)]
Width = Annotated[int, Field(ge=1, le=10_000)]

_POINTS = {"x": Column((2,), "float"), "label": Column((), "int")}


@sources.register
@final
class Spirals(Source):
    """Points on the arms of a spiral, an arm a class: no straight line tells them apart.

    A point at a share t of its arm, from 0 to 1, lies at the distance t from the middle and at the angle
    2 pi (turns t + class / classes). Points lie evenly on an arm, and the classes follow each other row by row.

    Shape:
        x: (2,) floats, the point.
        label: an integer, the arm.

    Parameters:
        samples: how many points.
        classes: how many arms.
        turns: how often an arm winds around the middle.
        noise: the standard deviation of what is added to each coordinate.
        seed: decides the noise.

    Reference: A. Karpathy and J. Johnson, "Putting it together: Minimal Neural Network Case Study", CS231n
    """

    inputs: ClassVar[dict[str, str]] = {"x": "x"}
    targets: ClassVar[dict[str, str]] = {"y": "label"}

    type: Literal["Spirals"] = "Spirals"
    samples: Count = 600
    classes: Arms = 3
    turns: PositiveFloat = 0.75
    noise: NonNegativeFloat = 0.02
    seed: NonNegativeInt = 0

    def columns(self) -> dict[str, Column]:
        """x and label."""
        return dict(_POINTS)

    def read(self, columns: Sequence[str]) -> dict[str, Array]:
        """Draw the points."""
        number = np.arange(self.samples)
        label = number % self.classes
        arm = (self.samples - 1 - label) // self.classes  # the number of the last point on the same arm
        share = (number // self.classes) / np.maximum(arm, 1)
        angle = 2 * np.pi * (self.turns * share + label / self.classes)
        x = share[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)  # (samples, 2)
        table: dict[str, Array] = {"x": _noisy(x, self.noise, self.seed), "label": label}
        return {name: table[name] for name in columns}


@sources.register
@final
class Moons(Source):
    """Points on two half circles, one within reach of the other: a small test of a classifier.

    The outer moon is the upper half of the circle around (0, 0) with radius 1, the inner one the lower half of that
    around (1, 0.5). Points lie evenly on each; the first half of the rows is the outer moon.

    Shape:
        x: (2,) floats, the point.
        label: an integer, 0 on the outer moon and 1 on the inner one.

    Parameters:
        samples: how many points; of an odd number the inner moon has one more.
        noise: the standard deviation of what is added to each coordinate.
        seed: decides the noise.

    Reference: https://scikit-learn.org/stable/modules/generated/sklearn.datasets.make_moons.html
    """

    inputs: ClassVar[dict[str, str]] = {"x": "x"}
    targets: ClassVar[dict[str, str]] = {"y": "label"}

    type: Literal["Moons"] = "Moons"
    samples: Count = 400
    noise: NonNegativeFloat = 0.1
    seed: NonNegativeInt = 0

    def columns(self) -> dict[str, Column]:
        """x and label."""
        return dict(_POINTS)

    def read(self, columns: Sequence[str]) -> dict[str, Array]:
        """Draw the points."""
        half = self.samples // 2
        outer, inner = (np.linspace(0, np.pi, count) for count in (half, self.samples - half))
        x = np.concatenate(
            [
                np.stack([np.cos(outer), np.sin(outer)], axis=1),
                np.stack([1 - np.cos(inner), 0.5 - np.sin(inner)], axis=1),
            ]
        )  # (samples, 2)
        label = (np.arange(self.samples) >= half).astype(np.int64)
        table: dict[str, Array] = {"x": _noisy(x, self.noise, self.seed), "label": label}
        return {name: table[name] for name in columns}


@sources.register
@final
class Regression(Source):
    """A linear rule to be found again: y = x @ weight.T + bias + noise, all drawn from the normal distribution.

    Shape:
        x: (features,) floats with mean 0 and variance 1.
        y: (outputs,) floats.

    Parameters:
        samples: how many rows.
        features: numbers in x.
        outputs: numbers in y.
        noise: the standard deviation of what is added to y: no model's error on new rows is less than its square.
        seed: decides everything that is drawn.

    Reference: https://scikit-learn.org/stable/modules/generated/sklearn.datasets.make_regression.html
    """

    inputs: ClassVar[dict[str, str]] = {"x": "x"}
    targets: ClassVar[dict[str, str]] = {"y": "y"}

    type: Literal["Regression"] = "Regression"
    samples: Count = 400
    features: Width = 4
    outputs: Width = 1
    noise: NonNegativeFloat = 0.1
    seed: NonNegativeInt = 0

    def columns(self) -> dict[str, Column]:
        """x and y."""
        return {"x": Column((self.features,), "float"), "y": Column((self.outputs,), "float")}

    def read(self, columns: Sequence[str]) -> dict[str, Array]:
        """Draw the rule, then the rows."""
        rng = np.random.default_rng(self.seed)
        weight, bias = rng.standard_normal((self.outputs, self.features)), rng.standard_normal(self.outputs)
        x = rng.standard_normal((self.samples, self.features))
        require_room_for_products()
        y = x @ weight.T + bias + self.noise * rng.standard_normal((self.samples, self.outputs))
        table: dict[str, Array] = {"x": x, "y": y}
        return {name: table[name] for name in columns}


def _noisy(x: Array, noise: float, seed: int) -> Array:
    """The points, each coordinate moved by noise."""
    moved: Array = x + noise * np.random.default_rng(seed).standard_normal(x.shape)
    return moved
