"""What the dropouts share: the mask, and when there is nothing to do."""

from __future__ import annotations

from abc import ABC
from functools import partial
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from declnet.core.component import Action, Alias, Module, Scratch, Step
from declnet.core.numerics import blocks, product
from declnet.core.spec import Array, Spec
from declnet.core.threads import cut, side_by_side


class Noise(Module, ABC):
    """In evaluation, and for p = 0, the identity: the plan leaves it out. Integers and booleans can be let through
    and set to 0 (p = 1), not scaled.
    """

    refused: ClassVar[dict[str, str]] = {"inplace": "the plan works in place wherever nobody needs the input"}

    p: Annotated[float, Field(ge=0, le=1)] = 0.5

    def infer(self, input: Spec) -> Spec:
        """Any shape and kind of number."""
        return input

    def alias(self, *, training: bool) -> Alias:
        """Nothing to do in evaluation; in training written over its input: backward reads only the mask."""
        return "in_place" if training and self.p > 0 else "reshape"

    def masks(self, input: Spec, shape: tuple[int, ...], *, training: bool) -> dict[str, Scratch]:
        """The mask, which backward reads; refuses, where one is drawn, what cannot be scaled."""
        if training and 0 < self.p < 1:
            self.require_float(input)
        return {"mask": Scratch(shape, saved=training)} if input.kind == "float" else {}


def zeros(y: Array) -> Step:
    """What is left of integers and booleans that are all dropped."""

    def forward() -> None:
        y.fill(0)

    return Step(forward)


def drawing(mask: Array, p: float, kept: float, rng: np.random.Generator) -> Action:
    """Draw the mask anew: 0 with probability p, else `kept`."""
    keep, scale = (np.array(number, mask.dtype) for number in (1 - p, kept))
    pieces = [piece for (piece,) in blocks(mask)]

    def draw() -> None:
        for piece in pieces:
            rng.random(out=piece, dtype=mask.dtype)
            np.add(piece, keep, out=piece)  # in [1 - p, 2 - p): at least 1 with probability 1 - p
            np.floor(piece, out=piece)
            np.multiply(piece, scale, out=piece)

    return draw


def scaling(values: Array, mask: Array, out: Array) -> Action:
    """out = values * mask, which has as many dimensions and is broadcast over the last ones."""
    if mask.size == out.size:
        return product(values, mask, out)
    rows, places = mask.size, out.size // max(1, mask.size)
    values, mask, out = values.reshape(rows, places), mask.reshape(rows, 1), out.reshape(rows, places)
    return side_by_side(
        [partial(np.multiply, values[lane], mask[lane], out=out[lane]) for lane in cut(rows, places)]
    )
