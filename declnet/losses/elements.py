"""Losses of elements that do not look at each other: block by block, in threads."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np

from declnet.core.component import Action, Loss, Scratch, Site, Step
from declnet.core.numerics import LINE, LONG, Pair, add_products
from declnet.core.spec import Array, Spec, broadcast
from declnet.core.threads import cut, in_order, side_by_side
from declnet.losses.broadcasting import Shape, gradient_scratch, repeating, then
from declnet.losses.reduction import Slope

Arrays = Sequence[Array]
DType: TypeAlias = "np.dtype[Any] | str"


class ElementLoss(Loss, ABC):
    """A loss of each element, reduced: a subclass says how one block of them is computed.

    Nothing is kept between forward and backward, which computes anew from the inputs what it needs: that is faster
    than writing it to memory and reading it again.
    """

    saves: ClassVar[tuple[str, ...]] = ("input", "target")
    works: ClassVar[int] = 0
    """Vectors of work space for a block, beside the losses of its elements."""
    passes: ClassVar[int]
    """What forward costs: passes over an element, a logarithm counting for twenty."""
    steepness: ClassVar[int] = 1
    """What the slopes are multiplied with, beside the gradient of the output."""

    if TYPE_CHECKING:
        reduction: str  # each declares its own, in its place among the arguments

    @abstractmethod
    def elements(self, inputs: Arrays, each: Array, work: Arrays) -> Action:
        """Bind each = the losses of a block; `inputs` are its share of the loss's inputs, then of `weights`."""

    def products(self, inputs: Arrays, each: Array, work: Arrays) -> tuple[Action, Sequence[Pair]]:
        """Bind what leaves pairs of vectors whose products are the losses of a block; here the losses and ones.

        Where losses are products anyway, adding these up spares writing and reading them.
        """
        return self.elements(inputs, each, work), [(each.reshape(-1), None, 1)]

    @abstractmethod
    def slopes(self, inputs: Arrays, work: Arrays) -> tuple[Slope, ...]:
        """Bind the slopes of a block's losses, one for each input of the loss."""

    def weights(self, dtype: DType) -> Arrays:
        """Numbers of the config that broadcast to the inputs."""
        return ()

    def scratch(self, input: Spec, target: Spec, *, training: bool) -> dict[str, Scratch]:
        """Work space of a block for each lane, the sum of each block, and gradients of what repeats."""
        cuts = self._cuts((input.shape, target.shape))
        none, kind = self.reduction == "none", self.infer(input, target).kind
        names = {"work": Scratch((len(cuts.lanes), self.works + (not none), cuts.room), kind)}
        if not none:
            names["sums"] = Scratch((sum(map(len, cuts.lanes)),), kind)
        return names | gradient_scratch(cuts.shape, input, target, training=training)

    def _cuts(self, shapes: Sequence[Shape]) -> Cuts:
        shape = reduce(broadcast, shapes)
        flat = all(own == shape for own in shapes) and not any(w.ndim for w in self.weights("float32"))
        return Cuts(shape, flat=flat, passes=self.passes)

    def bind(self, site: Site) -> Step:
        """Losses of the blocks and their sums; backward: slopes * factor."""
        cuts = self._cuts([array.shape for array in site.inputs])
        total = _Total(self.reduction, site, math.prod(cuts.shape), self.steepness)
        whole, add_up = repeating(site, cuts.shape)
        weights = self.weights(site.output.dtype)
        forward, backward = list[Action](), list[Action]()
        for lane, work in zip(cuts.lanes, site.scratch["work"], strict=True):
            ahead, back = list[Action](), list[Action]()
            for block in lane:
                inputs = [*(cuts.part(a, block) for a in whole.inputs), *(cuts.share(w, block) for w in weights)]
                first = inputs[0]
                rows = [row[: first.size].reshape(first.shape) for row in work]
                if total.none:
                    ahead.append(self.elements(inputs, cuts.part(site.output, block), rows))
                else:
                    find, pairs = self.products(inputs, rows.pop(), rows)
                    ahead += [find, total.adding(pairs)]
                if site.grad_output is not None:
                    factor = cuts.part(site.grad_output, block) if total.none else total.factor
                    slopes = zip(whole.grad_inputs, self.slopes(inputs, rows), strict=True)
                    times = self.steepness if total.none else 1  # else the factor has it
                    back += [
                        _pull(slope, cuts.part(g, block), factor, times) for g, slope in slopes if g is not None
                    ]
            forward.append(in_order(ahead))
            backward.append(in_order(back))
        step_forward = in_order([side_by_side(forward), total.forward])
        if site.grad_output is None:
            return Step(step_forward)
        return then(Step(step_forward, in_order([total.backward, side_by_side(backward)])), add_up)


class Cuts:
    """How elements of a shape are cut into lanes of blocks: `flat` into runs of elements, else into rows."""

    def __init__(self, shape: Shape, *, flat: bool, passes: int) -> None:
        """A block has at most `LONG` elements, or is one row that has more."""
        self.shape, self._flat = shape, flat
        size, unit = math.prod(shape), LINE if flat else 1
        width = LINE if flat else max(1, math.prod(shape[1:]))
        step = max(1, LONG // width)
        self.lanes = [
            [slice(i * unit, min(i + step, lane.stop) * unit) for i in range(lane.start, lane.stop, step)]
            for lane in cut(-(-size // LINE) if flat else shape[0], width * passes)
        ]
        longest = max((block.stop - block.start for lane in self.lanes for block in lane), default=0)
        self.room = min(size, longest * (1 if flat else width))

    def part(self, array: Array, block: slice) -> Array:
        """A block of an array of the whole shape."""
        return array.reshape(-1)[block] if self._flat else array[block]

    def share(self, array: Array, block: slice) -> Array:
        """What belongs to a block of an array that broadcasts to the shape."""
        return array if self._flat else np.broadcast_to(array, self.shape)[block]


class _Total:
    """Makes the output of the sums of blocks, and the factor of all slopes of the output's gradient."""

    def __init__(self, reduction: str, site: Site, size: int, steepness: int) -> None:
        self.none, self._mean = reduction == "none", reduction in ("mean", "batchmean")
        dtype, x = site.output.dtype, site.input
        rows = x.shape[0] if x.ndim else 1
        self._output = site.output
        self._upstream = site.output if site.grad_output is None else site.grad_output
        self._count = np.array(rows if reduction == "batchmean" else size, dtype)
        sums = site.output if self.none else site.scratch["sums"]
        self._several = sums.size != 1
        self._sums, self._next = sums if self._several else site.output.reshape(1), 0
        self._steepness, self.factor = np.array(steepness, dtype), np.empty((), dtype)

    def adding(self, pairs: Sequence[Pair]) -> Action:
        """What sums up the products of the next block."""
        total = self._sums[self._next : self._next + 1].reshape(())
        self._next += 1
        return add_products(pairs, total)

    def forward(self) -> None:
        """Write the output."""
        if self.none:
            return
        if self._several:
            np.add.reduce(self._sums, out=self._output)
        if self._mean:
            np.divide(self._output, self._count, out=self._output)

    def backward(self) -> None:
        """Bring `factor` up to date."""
        if self.none:
            return
        np.multiply(self._upstream, self._steepness, out=self.factor)
        if self._mean:
            np.divide(self.factor, self._count, out=self.factor)


def _pull(slope: Slope, gradient: Array, factor: Array, times: int) -> Action:
    """Bind gradient = slope * factor * times."""
    number = np.array(times, gradient.dtype)

    def run() -> None:
        slope(gradient)
        np.multiply(gradient, factor, gradient)
        if times != 1:
            np.multiply(gradient, number, gradient)

    return run


def over_rows(bind: Callable[[slice], Action], shape: Shape, *, passes: int) -> Action:
    """One action for all rows of arrays of this shape: that which is bound for each block of them, in threads."""
    lanes = Cuts(shape, flat=False, passes=passes).lanes
    return side_by_side([in_order([bind(block) for block in lane]) for lane in lanes])
