"""What the dropouts share: the mask, and when there is nothing to do."""

from __future__ import annotations

from abc import ABC
from functools import partial
from math import prod
from typing import Annotated, ClassVar, Final

import numpy as np
from pydantic import Field

from declnet.core.component import Action, Alias, Module, Scratch, Site, Step
from declnet.core.numerics import BLOCK, blocks, product
from declnet.core.spec import Array, Spec
from declnet.core.threads import cut, side_by_side

CHANCES: Final = 1 << 32
"""What a draw may come to."""


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
        if input.kind != "float":
            return {}
        return {"mask": Scratch(shape, saved=training), "kept": Scratch((min(prod(shape), BLOCK),), kind="bool")}


def zeros(y: Array) -> Step:
    """What is left of integers and booleans that are all dropped."""

    def forward() -> None:
        y.fill(0)

    return Step(forward)


def drawing(site: Site, p: float, kept: float) -> Action:
    """Draw the mask anew: 0 with probability p, else `kept`.

    A draw is half a word of the generator, an integer below CHANCES, and p is exact to one of these.
    """
    mask, flags, words = site.scratch["mask"], site.scratch["kept"], site.rng.bit_generator
    threshold, scale = np.array(min(round(p * CHANCES), CHANCES - 1), np.uint32), np.array(kept, mask.dtype)
    pieces = [(piece, flags[: piece.size]) for (piece,) in blocks(mask)]

    def draw() -> None:
        for piece, keep in pieces:
            draws = words.random_raw((piece.size + 1) // 2).view(np.uint32)[: piece.size]
            np.greater_equal(draws, threshold, out=keep)
            np.multiply(keep, scale, out=piece)

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
