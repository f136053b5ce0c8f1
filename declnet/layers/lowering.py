"""The kernel of convolution: the views of each part, and what is done with them, forward and backward."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import numpy as np

from declnet.core.component import Action
from declnet.core.spec import Array
from declnet.core.threads import in_order, side_by_side
from declnet.layers.correlation import Axis, Correlation, room


class _Part:
    """The views of one part: a matrix of columns for each tap of the first axis, and rows of output."""

    def __init__(self, part: Correlation, x: Array, y: Array, work: Array, *, fresh: bool) -> None:
        """`fresh` where the part before was another: its padding was elsewhere."""
        arrays = []
        for shape in part.shapes:
            arrays.append(work[: math.prod(shape)].reshape(shape))
            work = work[room(shape) :]
        self.weight, self.total, padded, columns, rows, spare = arrays
        y = np.moveaxis(part.with_first_axis(y, 2), 0, 2)  # (channels, first, batch, *others)
        direct = part.spread == 1 and y[:1].flags.c_contiguous  # a channel has to be one row
        groups, outputs = part.groups, part.outputs
        self.y = y.reshape(groups, outputs, *y.shape[1:])
        by_tap = rows.reshape(groups, part.spread, outputs, *rows.shape[1:])
        self.result = self.y if direct else by_tap[:, 0, ..., : y.shape[-1]]
        self.rows = (y if direct else rows).reshape(groups, part.spread * outputs, -1)
        self.spare = spare.reshape(self.rows.shape)
        self.moved = _moved(by_tap.reshape(groups, part.spread, outputs, -1), part.axes[-1].dilation)

        self.lower: list[Action] = []
        first = part.lowered[0]
        columns = self._lower(part.lowered, np.moveaxis(part.with_first_axis(x, 2), 0, 2), padded, columns, fresh)
        matrix = columns.reshape(part.groups, self.weight.shape[-1], first.span, -1)
        starts = range(0, first.kernel * first.dilation, first.dilation)
        views = [matrix[:, :, start : start + first.output] for start in starts]
        self.columns = [view.reshape(*matrix.shape[:2], -1) for view in views]

    def _lower(self, axes: tuple[Axis, ...], x: Array, padded: Array, columns: Array, fresh: bool) -> Array:
        """Note what fills the columns; where there are none to make, the columns are x itself."""
        taken, placed = zip(*(axis.inside for axis in axes), strict=True)
        x = x[:, taken[0], :, *taken[1:]]
        if x.shape != padded.shape:
            if fresh:
                self.lower.append(_zero(padded))
            self.lower.append(partial(np.copyto, padded[:, placed[0], :, *placed[1:]], x))
            x = padded
        channel, position, sample, *steps = x.strides
        taps = [step * axis.dilation for step, axis in zip(steps, axes[1:], strict=True)]
        outputs = [step * axis.stride for step, axis in zip(steps, axes[1:], strict=True)]
        patches = np.lib.stride_tricks.as_strided(x, columns.shape, (channel, *taps, position, sample, *outputs))
        if patches.flags.c_contiguous:
            return patches
        self.lower.append(partial(np.copyto, columns, patches))
        return columns

    def correlated(self, matrices: Array, bias: Array | None) -> Iterator[Action]:
        """What gives this part's output."""
        yield from self.lower
        yield partial(np.matmul, matrices[0], self.columns[0], out=self.rows)
        for matrix, columns in zip(matrices[1:], self.columns[1:], strict=True):
            yield partial(np.matmul, matrix, columns, out=self.spare)
            yield partial(np.add, self.rows, self.spare, out=self.rows)
        for total, moved in self.moved:
            yield partial(np.add, total, moved, out=total)
        if bias is not None:
            yield partial(np.add, self.result, bias, out=self.y)
        elif self.result is not self.y:
            yield partial(np.copyto, self.y, self.result)

    def summed(self, total: Array, *, first: bool) -> Iterator[Action]:
        """What adds this part's share to the gradient of the weights; the first part's is written."""
        yield from self.lower
        if self.result is not self.y:
            yield partial(np.copyto, self.result, self.y)
        for columns, out in zip(self.columns, total if first else self.weight, strict=True):
            yield partial(np.matmul, self.rows, columns.swapaxes(1, 2), out=out)
        if not first:
            yield partial(np.add, total, self.weight, out=total)


def _moved(by_tap: Array, dilation: int) -> list[tuple[Array, Array]]:
    """The rows of the first tap, and those of each other, so cut that what belongs together lies at one place."""
    length = by_tap.shape[-1]
    steps = [(tap, tap * dilation) for tap in range(1, by_tap.shape[1])]
    return [(by_tap[:, 0, :, : length - step], by_tap[:, tap, :, step:]) for tap, step in steps]


def _bound(correlation: Correlation, x: Array, y: Array, work: Array) -> list[list[_Part]]:
    """Every part of each lane with its views."""
    lanes, size = correlation.lanes(), correlation.room
    bound: list[list[_Part]] = [[] for _ in lanes]
    for number, (lane, made) in enumerate(zip(lanes, bound, strict=True)):
        own, before = work[number * size : (number + 1) * size], None
        for samples, outputs, part in lane:
            made.append(_Part(part, x[samples], y[samples, :, outputs], own, fresh=part != before))
            before = part
    return bound


def _zero(array: Array) -> Action:
    def fill() -> None:
        array.fill(0)

    return fill


def _by_product(correlation: Correlation, weight: Array) -> Array:
    """Weights in the order of the products: (first, groups, outputs, channels, ...), with the last axis before the
    outputs where it is spread.
    """
    taps = np.moveaxis(correlation.with_first_axis(weight, 3), 3, 0)
    return np.moveaxis(taps, -1, 2) if correlation.spread > 1 else taps


def correlate(
    correlation: Correlation, x: Array, weight: Array, y: Array, work: Array, *, bias: Array | None = None
) -> Action:
    """y = x correlated with weight, and the bias added."""
    lanes = _bound(correlation, x, y, work)
    if not lanes:
        return _zero(y)
    taps = _by_product(correlation, weight)
    matrices = lanes[0][0].weight
    copied = None if taps.flags.c_contiguous else matrices.reshape(taps.shape)
    if copied is None:
        matrices = taps.reshape(matrices.shape)
    column = None if bias is None else bias.reshape(weight.shape[:2] + (1,) * (lanes[0][0].y.ndim - 2))
    products = side_by_side(
        [in_order([action for part in parts for action in part.correlated(matrices, column)]) for parts in lanes]
    )

    def forward() -> None:
        if copied is not None:
            np.copyto(copied, taps)
        products()

    return forward


def weight_gradient(correlation: Correlation, x: Array, grad_y: Array, grad_weight: Array, work: Array) -> Action:
    """grad_weight = the outputs' gradients times the patches that they saw, summed over the parts of each lane, and
    then over the lanes.
    """
    correlation = correlation.for_weights
    lanes = _bound(correlation, x, grad_y, work)
    if not lanes:
        return _zero(grad_weight)
    taps = _by_product(correlation, grad_weight)
    total, *others = (parts[0].total for parts in lanes)
    copied = None if taps.flags.c_contiguous else total.reshape(taps.shape)
    if copied is None:
        total = taps.reshape(total.shape)

    products = side_by_side(
        [
            in_order([action for index, part in enumerate(parts) for action in part.summed(own, first=index == 0)])
            for parts, own in zip(lanes, (total, *others), strict=True)
        ]
    )

    def backward() -> None:
        products()
        for other in others:
            np.add(total, other, out=total)
        if copied is not None:
            np.copyto(taps, copied)

    return backward


def input_gradient(correlation: Correlation, grad_y: Array, weight: Array, grad_x: Array, work: Array) -> Action:
    """grad_x = grad_y correlated with the flipped weights, for each phase of the strides."""
    steps = []
    weight = weight.swapaxes(1, 2)  # (groups, channels, outputs, *kernel)
    for positions, taps, back in correlation.gradients():
        target = grad_x[:, :, *positions]
        if back is None:
            steps.append(_zero(target))
        else:
            flipped = np.flip(weight[:, :, :, *taps], tuple(range(3, weight.ndim)))
            steps.append(correlate(back, grad_y, flipped, target, work))
    return in_order(steps)
