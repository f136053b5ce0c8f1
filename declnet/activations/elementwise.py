"""What functions of single elements share: they go through their arrays in cache-sized blocks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from declnet.core.component import Action, Alias, Module, Scratch, Site, Step
from declnet.core.numerics import BLOCK, bits, blocks
from declnet.core.spec import Array, Kind, Spec

INPLACE = {"inplace": "the plan works in place wherever nobody needs the input"}


class Elementwise(Module, ABC):
    """A function of each element. Where backward reads only the output, it is written over the input."""

    kinds: ClassVar[tuple[Kind, ...]] = ("float",)
    """The kinds of number that it takes."""

    work: ClassVar[int] = 0
    """Vectors of work space, each as long as a block."""

    def infer(self, input: Spec) -> Spec:
        """Any shape."""
        self.require_kinds(self.kinds, input)
        return Spec(input.shape)

    def alias(self, *, training: bool) -> Alias:
        """In place unless backward reads the input."""
        return "new" if "input" in self.saves else "in_place"

    def scratch(self, input: Spec, *, training: bool) -> dict[str, Scratch]:
        """Work space for one block, which all share."""
        return {"work": Scratch((self.work, min(input.size, BLOCK)))} if self.work else {}

    def bind(self, site: Site) -> Step:
        """One action for each block."""
        work = site.scratch.get("work", ())
        forward = in_order(
            [self._forward(x, y, *(row[: x.size] for row in work)) for x, y in blocks(site.input, site.output)]
        )
        if site.grad_input is None:
            return Step(forward)
        source = site.input if "input" in self.saves else site.output
        pieces = blocks(source, site.upstream, site.grad_input)
        backward = in_order(
            [
                self.backward(saved, grad_y, grad_x, *(row[: saved.size] for row in work))
                for saved, grad_y, grad_x in pieces
            ]
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
    def forward(self, x: Array, y: Array, *work: Array) -> Action:
        """Bind y = f(x) for one block; y may be x where backward reads the output."""

    @abstractmethod
    def backward(self, saved: Array, grad_y: Array, grad_x: Array, *work: Array) -> Action:
        """Bind grad_x = grad_y * f'(x) for one block, from x or from y, whichever `saves` names."""


def in_order(actions: Sequence[Action]) -> Action:
    """All of them, one after another; a single one as it is."""
    if len(actions) == 1:
        return actions[0]

    def run() -> None:
        for action in actions:
            action()

    return run


def selecting(condition: Array, chosen: Array, other: Array, out: Array, mask: Array) -> Action:
    """Bind `out = chosen where condition, else other`, on bits: infinities and NaN stay where they are.

    `condition` is boolean and written over; `mask` is work space. Neither `chosen` nor `other` may be `out`. A
    masked copy says the same, in twice the time where the condition is irregular.
    """
    signs, words = condition.view(np.int8), bits(mask)
    chosen, other, out = bits(chosen), bits(other), bits(out)

    def select() -> None:
        np.negative(signs, out=signs)  # true becomes -1: all ones, also when it is widened
        np.copyto(words, signs)
        np.bitwise_xor(chosen, other, out=out)
        np.bitwise_and(out, words, out=out)
        np.bitwise_xor(out, other, out=out)

    return select


def flags(work: Array) -> Array:
    """A vector of work space as booleans, one for each of its elements."""
    return work.view(np.bool_)[: work.size]
