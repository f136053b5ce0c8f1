"""Blocks of an input, and the calls that go over them: what the kernels of this family are written with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import numpy as np

from declnet.core.component import Action, Site
from declnet.core.numerics import filled, room
from declnet.core.spec import Array
from declnet.core.threads import side_by_side
from declnet.normalization.view import Place, View

LONG: Final = 64
"""Places from which a call of BLAS for each channel pays: products are added up, not stored (measured)."""


class Calls:
    """NumPy calls in order, with their arrays; by position, which is the fastest way to call a ufunc."""

    def __init__(self) -> None:
        self._calls: list[Action] = []

    def do(self, function: Callable[..., object], *arguments: object) -> None:
        """Note a call; what a ufunc writes to is its last argument."""
        self._calls.append(partial(function, *arguments))  # type: ignore[arg-type] # what it returns is dropped

    def run(self) -> None:
        """Make the calls."""
        for call in self._calls:
            call()


class Block:
    """One part of the input: its arrays, and what is done with them. Scratch is that of the block's lane."""

    def __init__(self, site: Site, view: View, lane: int, part: int, place: Place) -> None:
        self.place = place
        self.x, self.y = (array.reshape(view.shape)[place] for array in (site.input, site.output))
        self.product, self.sums = room(site.scratch["product"][lane], self.x.shape), site.scratch["sums"][lane]
        self.parts = site.scratch["parts"][:, part, place[1]]
        if site.grad_output is not None:
            self.grad_y = site.grad_output.reshape(view.shape)[place]
            self.grad_x = None if site.grad_input is None else site.grad_input.reshape(view.shape)[place]

    def total(self, calls: Calls, array: Array, index: int = 0) -> Array:
        """Each channel's sum over its places: (samples, groups, channels)."""
        places = array.shape[-1]
        if places == 1:
            return array[..., 0]
        sums = room(self.sums[index], array.shape[:3])
        calls.do(np.matmul, array.reshape(-1, places), filled(array.dtype, places, 1), sums.reshape(-1))
        return sums

    def total_product(self, calls: Calls, one: Array, other: Array) -> Array:
        """Each channel's sum of products over its places."""
        if one.shape[-1] >= LONG:
            sums = room(self.sums[0], one.shape[:3])
            calls.do(np.vecdot, one, other, sums)
            return sums
        calls.do(np.multiply, one, other, self.product)
        return self.total(calls, self.product)


def blocks(site: Site, view: View) -> list[list[Block]]:
    """All blocks, lane by lane."""
    return [
        [Block(site, view, lane, part, place) for part, place in places] for lane, places in enumerate(view.lanes)
    ]


def over(lanes: Sequence[Sequence[Block]], each: Callable[[Calls, Block], None]) -> Action:
    """The calls of each block, lanes side by side."""
    runs: list[Action] = []
    for lane in lanes:
        calls = Calls()
        for block in lane:
            each(calls, block)
        runs.append(calls.run)
    return side_by_side(runs)


class Channels:
    """A number for each channel, as large as a block where there is `wide` room for it: of two arrays of one shape
    NumPy makes one loop, and it takes half as long as row after row, each with a number or a row of its own.
    """

    def __init__(self, numbers: Array, wide: Array) -> None:
        self._numbers, self._wide = numbers, wide  # (groups, channels, 1), and as a block or empty

    def fresh(self, calls: Calls) -> None:
        """Note that the numbers are new."""
        if self._wide.size:
            calls.do(np.copyto, self._wide, self._numbers)

    def beside(self, place: Place) -> Array:
        """The numbers of a block's channels."""
        samples, groups = place
        return self._wide[: samples.stop - samples.start] if self._wide.size else self._numbers[groups]


def invert(calls: Calls, var: Array, eps: float, inverse: Array) -> None:
    """inverse = 1 / sqrt(var + eps)."""
    calls.do(np.add, var, np.array(eps, var.dtype), inverse)
    calls.do(np.sqrt, inverse, inverse)
    calls.do(np.reciprocal, inverse, inverse)
