"""The kernel of convolution: the views of each part, and what is done with them, forward and backward."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
        self.y = np.moveaxis(part.with_first_axis(y, 2), 0, 2)  # (channels, first, batch, *others)
        self.result = self.y if self.y[:1].flags.c_contiguous else rows  # a channel has to be one row
        self.rows = self.result.reshape(part.groups, part.outputs, -1)
        self.spare = spare.reshape(self.rows.shape)

        self._copies: list[tuple[Array, Array]] = []
        first = part.lowered[0]
        columns = self._lower(part.lowered, np.moveaxis(part.with_first_axis(x, 2), 0, 2), padded, columns, fresh)
        matrix = columns.reshape(part.groups, self.weight.shape[-1], first.span, -1)
        starts = range(0, first.kernel * first.dilation, first.dilation)
        views = [matrix[:, :, start : start + first.output] for start in starts]
        self.columns = [view.reshape(*matrix.shape[:2], -1) for view in views]
        self.columns_t = [matrix.swapaxes(1, 2) for matrix in self.columns]

    def _lower(self, axes: tuple[Axis, ...], x: Array, padded: Array, columns: Array, fresh: bool) -> Array:
        """Note the copies that fill the columns; where there are none to make, the columns are x itself."""
        taken, placed = zip(*(axis.inside for axis in axes), strict=True)
        x = x[:, taken[0], :, *taken[1:]]
        if x.shape != padded.shape:
            if fresh:
                self._copies.append((padded, np.zeros((), x.dtype)))
            self._copies.append((padded[:, placed[0], :, *placed[1:]], x))
            x = padded
        channel, position, sample, *steps = x.strides
        taps = [step * axis.dilation for step, axis in zip(steps, axes[1:], strict=True)]
        outputs = [step * axis.stride for step, axis in zip(steps, axes[1:], strict=True)]
        patches = np.lib.stride_tricks.as_strided(x, columns.shape, (channel, *taps, position, sample, *outputs))
        if patches.flags.c_contiguous:
            return patches
        self._copies.append((columns, patches))
        return columns

    def lower(self) -> None:
        """Fill the columns."""
        for target, source in self._copies:
            np.copyto(target, source)


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


def correlate(
    correlation: Correlation, x: Array, weight: Array, y: Array, work: Array, *, bias: Array | None = None
) -> Action:
    """y = x correlated with weight, and the bias added."""
    lanes = _bound(correlation, x, y, work)
    if not lanes:
        return _zero(y)
    taps = np.moveaxis(correlation.with_first_axis(weight, 3), 3, 0)  # (first, groups, outputs, channels, ...)
    matrices = lanes[0][0].weight
    copied = None if taps.flags.c_contiguous else matrices.reshape(taps.shape)
    if copied is None:
        matrices = taps.reshape(matrices.shape)
    column = None if bias is None else bias.reshape(*lanes[0][0].rows.shape[:2], 1)

    def run(parts: Sequence[_Part]) -> None:
        for part in parts:
            part.lower()
            np.matmul(matrices[0], part.columns[0], out=part.rows)
            for matrix, columns in zip(matrices[1:], part.columns[1:], strict=True):
                np.matmul(matrix, columns, out=part.spare)
                np.add(part.rows, part.spare, out=part.rows)
            if column is not None:
                np.add(part.rows, column, out=part.rows)
            if part.result is not part.y:
                np.copyto(part.y, part.result)

    products = side_by_side([partial(run, parts) for parts in lanes])

    def forward() -> None:
        if copied is not None:
            np.copyto(copied, taps)
        products()

    return forward


def weight_gradient(correlation: Correlation, x: Array, grad_y: Array, grad_weight: Array, work: Array) -> Action:
    """grad_weight = the outputs' gradients times the patches that they saw, summed over the parts of each lane, and
    then over the lanes.
    """
    lanes = _bound(correlation, x, grad_y, work)
    if not lanes:
        return _zero(grad_weight)
    taps = np.moveaxis(correlation.with_first_axis(grad_weight, 3), 3, 0)
    total, *others = (parts[0].total for parts in lanes)
    copied = None if taps.flags.c_contiguous else total.reshape(taps.shape)
    if copied is None:
        total = taps.reshape(total.shape)

    def run(parts: Sequence[_Part], total: Array) -> None:
        spare = parts[0].weight
        for index, part in enumerate(parts):
            part.lower()
            if part.result is not part.y:
                np.copyto(part.result, part.y)
            target = spare if index else total
            for columns, out in zip(part.columns_t, target, strict=True):
                np.matmul(part.rows, columns, out=out)
            if index:
                np.add(total, spare, out=total)

    products = side_by_side([partial(run, *lane) for lane in zip(lanes, (total, *others), strict=True)])

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
