"""What functions of single elements share: cache-sized blocks of their arrays, in lanes that threads take."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import ClassVar, final

import numpy as np

from declnet.core.component import Action, Alias, Module, Scratch, Site, Step
from declnet.core.numerics import LONG, bits, lanes, product, spread
from declnet.core.spec import Array, Kind, Spec
from declnet.core.threads import LANES, in_order, side_by_side

INPLACE = {"inplace": "the plan works in place wherever nobody needs the input"}


class Pointwise(Module, ABC):
    """A function of each element."""

    kinds: ClassVar[tuple[Kind, ...]] = ("float",)
    """The kinds of number that it takes."""

    work: ClassVar[int] = 0
    """Vectors of work space, each as long as a block."""

    cost: ClassVar[int]
    """Passes of forward, as `threads.cut` has it: an exponential counts for four, tanh for eight."""

    def infer(self, input: Spec) -> Spec:
        """Any shape."""
        self.require_kinds(self.kinds, input)
        return Spec(input.shape)

    def alias(self, *, training: bool) -> Alias:
        """In place unless backward reads the input."""
        return "new" if "input" in self.saves else "in_place"

    def scratch(self, input: Spec, *, training: bool) -> dict[str, Scratch]:
        """Work space for one block of each lane."""
        shape = (len(spread(input.size, self.cost)), self.work, min(input.size, LONG))
        return {"work": Scratch(shape)} if self.work else {}

    def each(self, action: Callable[..., Action], site: Site, *arrays: Array, cost: int) -> Action:
        """What is bound for each block of the arrays and its work space, as one action."""
        work: Iterable[Iterable[Array]] = site.scratch["work"] if self.work else [()] * LANES
        return side_by_side(
            [
                in_order([action(*block, *(row[: block[0].size] for row in own)) for block in lane])
                for lane, own in zip(lanes(*arrays, passes=cost), work, strict=False)
            ]
        )

    @abstractmethod
    def forward(self, x: Array, y: Array, *work: Array) -> Action:
        """Bind y = f(x) for one block; y may be x where backward does not read the input."""


class Elementwise(Pointwise, ABC):
    """One whose backward goes by its input or its output, whichever `saves` names."""

    backward_cost: ClassVar[int]
    """Passes of backward."""

    @final
    def bind(self, site: Site) -> Step:
        """One action for each block."""
        forward = self.each(self._forward, site, site.input, site.output, cost=self.cost)
        if site.grad_input is None:
            return Step(forward)
        source = site.input if "input" in self.saves else site.output
        backward = self.each(
            self.backward, site, source, site.upstream, site.grad_input, cost=min(self.cost, self.backward_cost)
        )
        return Step(forward, backward)

    def _forward(self, x: Array, y: Array, *work: Array) -> Action:
        """As `forward`; integers and booleans whose function is a float become floats first, in y."""
        if x.dtype == y.dtype:
            return self.forward(x, y, *work)
        in_place = self.forward(y, y, *work)

        def run() -> None:
            np.copyto(y, x)
            in_place()

        return run

    @abstractmethod
    def backward(self, saved: Array, grad_y: Array, grad_x: Array, *work: Array) -> Action:
        """Bind grad_x = grad_y * f'(x) for one block, from x or from y, whichever `saves` names."""


class Sloped(Pointwise, ABC):
    """One whose derivative takes what the function takes, an exponential: forward finds both, and backward is a
    product.
    """

    def scratch(self, input: Spec, *, training: bool) -> dict[str, Scratch]:
        """Beside the work space the derivatives, in training."""
        slope = {"slope": Scratch(input.shape, saved=True)} if training else {}
        return super().scratch(input, training=training) | slope

    @final
    def bind(self, site: Site) -> Step:
        """One action for each block."""
        if site.grad_input is None:
            return Step(self.each(self.forward, site, site.input, site.output, cost=self.cost))
        arrays = site.input, site.output, site.scratch["slope"]
        forward = self.each(self.with_slope, site, *arrays, cost=self.cost)
        return Step(forward, product(site.upstream, site.scratch["slope"], site.grad_input))

    @abstractmethod
    def with_slope(self, x: Array, y: Array, slope: Array, *work: Array) -> Action:
        """Bind y = f(x) and slope = f'(x) for one block; y may be x, so it is written last."""


def masking(condition: Array, mask: Array) -> Action:
    """Bind mask = all bits where the condition holds, else none. `condition` is boolean and written over."""
    signs, words = condition.view(np.int8), bits(mask)

    def widen() -> None:
        np.negative(signs, out=signs)  # true becomes -1: all ones, also when it is widened
        np.copyto(words, signs)

    return widen


def selecting(condition: Array, chosen: Array, other: Array, out: Array, mask: Array) -> Action:
    """Bind `out = chosen where condition, else other`, on bits: infinities and NaN stay where they are.

    `condition` is boolean and written over; `mask` is work space. Neither `chosen` nor `other` may be `out`. A
    masked copy says the same, in twice the time where the condition is irregular.
    """
    widen, merge = masking(condition, mask), merging(mask, chosen, other, out)

    def select() -> None:
        widen()
        merge()

    return select


def merging(mask: Array, chosen: Array, other: Array, out: Array) -> Action:
    """Bind `out = chosen where the mask has all bits, other where it has none`; `out` is neither of the two."""
    words, chosen, other, out = bits(mask), bits(chosen), bits(other), bits(out)

    def merge() -> None:
        np.bitwise_xor(chosen, other, out=out)
        np.bitwise_and(out, words, out=out)
        np.bitwise_xor(out, other, out=out)

    return merge


def flags(work: Array) -> Array:
    """A vector of work space as booleans, one for each of its elements."""
    return work.view(np.bool_)[: work.size]
