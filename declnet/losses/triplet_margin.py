"""TripletMarginLoss."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import ClassVar, Literal, final

import numpy as np
from pydantic import PositiveFloat

from declnet.core.component import Action, Loss, Scratch, Site, Step
from declnet.core.norm import Exponent, Norm
from declnet.core.numerics import fold
from declnet.core.registry import losses
from declnet.core.spec import Array, Spec
from declnet.core.threads import in_order
from declnet.errors import ShapeError
from declnet.losses.broadcasting import common_shape, gradient_scratch, repeating, require_same_ndim, then
from declnet.losses.elements import over_rows
from declnet.losses.reduction import DEPRECATED, Reducer, Reduction, each_scratch, reduced

PAIRS = {"positive": (0, 1), "negative": (0, 2), "swapped": (1, 2)}
"""Which of anchor, positive and negative each distance lies between."""


@losses.register
@final
class TripletMarginLoss(Loss):
    """What lacks of a margin: loss = max(0, d(anchor, positive) - d(anchor, negative) + margin).

    d(x, y) is the p-norm of x - y + eps. With swap, d(positive, negative) takes the place of d(anchor,
    negative) where it is the smaller. At the kink the slope is that of the line, as in PyTorch.

    Shape:
        anchor, positive, negative: (*, D): rows of D numbers, unbatched (D). Each holds floats or integers, and has
        the others' sizes, or 1, which repeats. output: (), or the common shape without D where reduction is none.
        Its unit is the inputs'.

    Parameters:
        margin: by how much the negative is to be farther off than the positive, above 0.
        p: the exponent of the norm; below 0 a single difference of 0 makes the distance 0.
        eps: added to each difference, which keeps the slope of a distance of 0 finite.
        swap: whether the negative may be compared with the positive.
        reduction: mean, sum or none.

    Raises:
        ShapeError: the shapes of the three do not fit, they differ in their number of dimensions, one is boolean,
            or D is 0 and p infinite or below 0.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.TripletMarginLoss.html;
        Balntas, Riba, Ponsa, Mikolajczyk, "Learning Local Feature Descriptors with Triplets and Shallow
        Convolutional Neural Networks", 2016.
    """

    pytorch = "torch.nn.TripletMarginLoss"
    refused: ClassVar[dict[str, str]] = DEPRECATED

    type: Literal["TripletMarginLoss"] = "TripletMarginLoss"
    margin: PositiveFloat = 1.0
    p: Exponent = 2.0
    eps: float = 1e-6
    swap: bool = False
    reduction: Reduction = "mean"

    def infer(self, anchor: Spec, positive: Spec, negative: Spec) -> Spec:
        """Three with as many dimensions, whose shapes fit."""
        self.require_kinds(("float", "int"), anchor, positive, negative)
        require_same_ndim(self, anchor, positive, negative)
        shape = common_shape(self, anchor, positive, negative)
        if (self.p < 0 or math.isinf(self.p)) and shape[-1:] == (0,):
            raise ShapeError(
                f"TripletMarginLoss cannot take the norm with p = {self.p:g} of nothing: its anchor is {anchor}",
                field="p",
                argument=0,
            )
        self._check_rows(anchor, positive, negative)
        return reduced(self.reduction, shape[:-1])

    def _check_rows(self, *inputs: Spec) -> None:
        """Refuse rows that are single numbers in one distance, and longer in another."""
        widths = [max(inputs[i].shape[-1:] + inputs[j].shape[-1:], default=1) for i, j in self._pairs().values()]
        if len(set(widths)) > 1:
            raise ShapeError(
                "TripletMarginLoss compares distances between rows of one length but its anchor, positive and "
                f"negative are {', '.join(map(str, inputs))}"
            )

    def _pairs(self) -> dict[str, tuple[int, int]]:
        return PAIRS if self.swap else {pair: PAIRS[pair] for pair in ("positive", "negative")}

    def flops(self, anchor: Spec, positive: Spec, negative: Spec) -> int:
        """Difference, eps, power, sum: four for each number of each pair."""
        return 4 * len(self._pairs()) * math.prod(common_shape(self, anchor, positive, negative))

    def scratch(self, anchor: Spec, positive: Spec, negative: Spec, *, training: bool) -> dict[str, Scratch]:
        """Each pair's differences and distances, which backward reads, and room to work with them."""
        shape = common_shape(self, anchor, positive, negative)
        kept = _kept(shape)
        names = {f"{pair}.difference": Scratch(shape, saved=training) for pair in self._pairs()}
        names |= {f"{pair}.distance": Scratch(kept, saved=training) for pair in self._pairs()}
        names |= {"work": Scratch(shape), "nearest": Scratch(kept)}
        if training:
            names |= {name: Scratch(kept) for name in ("pull", "spare")}
            names |= {"missed": Scratch(kept, "bool", saved=True), "none": Scratch(kept, "bool")}
            names["zeros"] = Scratch(shape, "bool")
            names |= gradient_scratch(shape, anchor, positive, negative, training=training)
        return names | each_scratch(self.reduction, shape[:-1])

    def bind(self, site: Site) -> Step:
        """Distances, and the margin that lacks, for blocks of rows; backward: through the distances that count."""
        shape, dtype = site.scratch["work"].shape, site.output.dtype
        kept = _kept(shape)
        whole, add_up = repeating(site, shape)
        reducer = Reducer(self.reduction, site, kept, np.array(math.prod(kept), dtype))
        lanes = shape if len(shape) > 1 else (1, *shape)

        def part(array: Array, block: slice) -> Array:
            return array[block] if len(shape) > 1 else array  # else there is only one row

        def rows(block: slice) -> Site:
            grads = tuple(grad if grad is None else part(grad, block) for grad in whole.grad_inputs)
            scratch = {name: part(site.scratch[name], block) for name in site.scratch.keys() - {"each"}}
            inputs = tuple(part(array, block) for array in whole.inputs)
            return replace(whole, inputs=inputs, grad_inputs=grads, scratch=scratch)

        def ahead(block: slice) -> Action:
            return self._bind_forward(rows(block), part(reducer.each, block))

        step = Step(in_order([over_rows(ahead, lanes, passes=10), reducer.forward]))
        if site.grad_output is None or "missed" not in site.scratch:
            return step

        def back(block: slice) -> Action:
            factor = part(reducer.factor, block) if self.reduction == "none" else reducer.factor
            return self._bind_backward(rows(block), factor)

        backward = in_order([reducer.backward, over_rows(back, lanes, passes=10)])
        return then(replace(step, backward=backward), add_up)

    def _bind_forward(self, site: Site, each: Array) -> Action:
        """What lacks of the margin in some rows."""
        distances = [Distance(pair, self, site) for pair in self._pairs()]
        to_positive, to_negative, *swapped = (distance.length for distance in distances)
        nearest, missed = site.scratch["nearest"], site.scratch.get("missed")
        margin, zero = np.array(self.margin, each.dtype), np.array(0, each.dtype)

        def forward() -> None:
            for distance in distances:
                distance.forward()
            np.copyto(nearest, to_negative)
            for other in swapped:
                np.minimum(nearest, other, out=nearest)
            np.add(to_positive, margin, out=each)
            np.subtract(each, nearest, out=each)
            if missed is not None:
                np.greater_equal(each, zero, out=missed)
            np.maximum(each, zero, out=each)

        return forward

    def _bind_backward(self, site: Site, factor: Array) -> Action:
        """The gradients of some rows."""
        distances = {pair: Distance(pair, self, site) for pair in self._pairs()}
        to_negative, swapped = distances["negative"].length, [d.length for d in distances.values()][2:]
        grads, work, pull, missed = site.grad_inputs, *(site.scratch[n] for n in ("work", "pull", "missed"))
        shares = {"positive": [], "negative": swapped, "swapped": [to_negative]}
        written = set[int]()

        def into(index: int, *, negative: bool) -> list[Action]:
            """Add the work to a gradient, or write it there the first time; without a gradient do nothing."""
            grad, first = grads[index], index not in written
            written.add(index)
            if grad is None:
                return []
            if first:
                return [partial(np.negative, work, out=grad) if negative else partial(np.copyto, grad, work)]
            return [partial(np.subtract if negative else np.add, grad, work, out=grad)]

        pairs = [
            (pair, distance, [*into(PAIRS[pair][0], negative=False), *into(PAIRS[pair][1], negative=True)])
            for pair, distance in distances.items()
        ]

        def backward() -> None:
            for pair, distance, writes in pairs:
                if not writes:
                    continue
                np.multiply(factor, missed, out=pull)
                if pair != "positive":
                    np.negative(pull, out=pull)
                for other in shares[pair]:
                    distance.share(other)
                distance.backward()
                for write in writes:
                    write()

        return backward


class Distance:
    """Between two of the inputs: the p-norms of their differences."""

    def __init__(self, pair: str, loss: TripletMarginLoss, site: Site) -> None:
        """Bind to the pair's scratch."""
        first, second = (site.inputs[index] for index in PAIRS[pair])
        self._difference, self.length = (site.scratch[f"{pair}.{name}"] for name in ("difference", "distance"))
        self._work, dtype = site.scratch["work"], site.output.dtype
        self._subtract = differing(first, second, self._difference)
        self._eps, self._zero, self._half = (np.array(number, dtype) for number in (loss.eps, 0, 0.5))
        self._norm = Norm(loss.p, self._difference, self.length, self._work)
        if site.grad_output is not None:
            self._pull, self._spare, self._none, self._zeros = (
                site.scratch[name] for name in ("pull", "spare", "none", "zeros")
            )

    def forward(self) -> None:
        """The distances."""
        self._subtract()
        np.add(self._difference, self._eps, out=self._difference)
        self._norm.measure()

    def share(self, other: Array) -> None:
        """Of the pull on the smaller of two distances, what this one gets: all, half, or nothing."""
        np.equal(self.length, other, out=self._none)
        np.multiply(self._pull, self._half, out=self._spare)
        np.copyto(self._pull, self._spare, where=self._none)
        np.greater(self.length, other, out=self._none)
        np.copyto(self._pull, self._zero, where=self._none)

    def backward(self) -> None:
        """work = the pull on the distances, on the differences; a distance of 0 has no slope."""
        self._norm.slope(self._pull, self._spare, self._zeros)
        np.equal(self.length, self._zero, out=self._none)
        np.copyto(self._pull, self._zero, where=self._none)
        np.multiply(self._work, self._pull, out=self._work)


def differing(first: Array, second: Array, out: Array) -> Action:
    """out = first - second; integers are subtracted as such."""
    if first.dtype.kind == second.dtype.kind == "i":
        return partial(np.subtract, first, second, out=out, casting="unsafe")
    return fold(np.subtract, (first, second), out)


def _kept(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the distances, with the dimension that they are taken along."""
    return (*shape[:-1], 1) if shape else ()
