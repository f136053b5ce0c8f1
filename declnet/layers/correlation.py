"""The kernel of convolution in any number of dimensions: a correlation, and its two gradients.

A part of the batch at a time is lowered: its patches are laid out so that one matrix product with the weights
gives the outputs. The first axis is left as it is: its positions follow each other in memory, so that a tap of it
is a shifted view, and only the taps of the other axes are copied:

    columns[c, taps of the others, position on the first axis, n, outputs on the others]
    output[o, p, n, ...] = sum over t of weight[o, (c, taps), t] @ columns[(c, taps), p + t * dilation, n, ...]

That moves a third of the memory that the patches of a 3x3 kernel take. The gradient of the input is a correlation
again, of the output's gradient with the flipped weights, so nothing is ever scattered.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import as_strided

from declnet.core.component import Action
from declnet.core.spec import Array

POSITIONS: Final = 768
"""Columns that a matrix product should have at least; samples are put together for it (measured)."""

LARGEST: Final = 1 << 20
"""Elements of the columns of one part, 4 MiB in float32; larger samples are cut along the first axis."""

Shape = tuple[int, ...]
Index = tuple[slice, ...]


@dataclass(frozen=True, slots=True)
class Axis:
    """One dimension: output[p] = sum over t of weight[t] * input[p * stride + t * dilation - low]."""

    size: int
    output: int
    kernel: int
    stride: int = 1
    dilation: int = 1
    low: int = 0

    @property
    def span(self) -> int:
        """How many positions there are from the first that is read to the last."""
        return (self.output - 1) * self.stride + (self.kernel - 1) * self.dilation + 1

    @property
    def inside(self) -> tuple[slice, slice]:
        """The positions that are read and not padding: as the input counts them, and within the span."""
        start = min(max(self.low, 0), self.span)
        stop = max(start, min(self.low + self.size, self.span))
        return slice(start - self.low, stop - self.low), slice(start, stop)

    def cut(self, outputs: slice) -> Axis:
        """Some of the outputs."""
        return replace(self, output=outputs.stop - outputs.start, low=self.low - outputs.start * self.stride)

    def phases(self) -> Iterator[tuple[slice, slice, Axis | None]]:
        """The gradient of the input: positions that lie a stride apart get theirs from the same taps.

        Yields such positions, the taps, and the correlation of the output's gradient with these taps in
        reverse; None where no tap reads these positions.
        """
        common = math.gcd(self.stride, self.dilation)
        for phase in range(min(self.stride, self.size)):
            positions = slice(phase, self.size, self.stride)
            distance = [phase + self.low - t * self.dilation for t in range(self.kernel)]
            taps = [t for t in range(self.kernel) if distance[t] % self.stride == 0]
            if not taps:
                yield positions, slice(0), None
                continue
            axis = Axis(
                size=self.output,
                output=len(range(phase, self.size, self.stride)),
                kernel=len(taps),
                dilation=self.dilation // common,
                low=-distance[taps[-1]] // self.stride,
            )
            yield positions, slice(taps[0], taps[-1] + 1, self.stride // common), axis


@dataclass(frozen=True, slots=True)
class Correlation:
    """The sizes of a convolution; `channels` and `outputs` are those of one group.

    Its arrays are x (batch, groups * channels, *sizes), y (batch, groups * outputs, *output sizes) and weight
    (groups, outputs, channels, *kernel), each with any strides.
    """

    batch: int
    groups: int
    channels: int
    outputs: int
    axes: tuple[Axis, ...]

    @property
    def lowered(self) -> tuple[Axis, ...]:
        """The axes with the one in front whose taps are not copied: one of size 1 where that doesn't pay."""
        first, *rest = self.axes
        copied = self.channels * math.prod(axis.kernel for axis in rest)  # against adding up `outputs` each time
        pays = len(rest) > 0 and first.kernel > 1 and first.stride == 1 and copied >= self.outputs
        return self.axes if pays else (Axis(1, 1, 1), *self.axes)

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The work space: weights, their gradient's sum; padded input, columns; rows of output, as many again."""
        first, *rest = self.lowered
        channels, kernel = self.groups * self.channels, tuple(axis.kernel for axis in rest)
        outputs = tuple(axis.output for axis in rest)
        weight = (first.kernel, self.groups, self.outputs, self.channels * math.prod(kernel))
        padded = (channels, first.span, self.batch, *(axis.span for axis in rest))
        columns = (channels, *kernel, first.span, self.batch, *outputs)
        rows = (self.groups * self.outputs, first.output, self.batch, *outputs)
        return weight, weight, padded, columns, rows, rows

    @property
    def work(self) -> int:
        """Elements of work space, for the first and largest part."""
        return max((sum(map(_room, part.shapes)) for _, _, part in self.parts()), default=0)

    @property
    def product(self) -> int:
        """Floating-point operations of one matrix product: one tap and one group of the first and largest part."""
        sizes = ((part.shapes[0], part.shapes[4]) for _, _, part in self.parts())  # of weights, of rows of output
        return max((2 * self.outputs * weight[-1] * math.prod(row[1:]) for weight, row in sizes), default=0)

    def parts(self) -> Iterator[tuple[slice, slice, Correlation]]:
        """Cut to size: which samples, and which outputs on the first axis."""
        one = replace(self, batch=1)
        first, elements = self.axes[0], math.prod(one.shapes[3])
        wanted = -(-POSITIONS // math.prod(axis.output for axis in self.axes))
        for samples in _cut(self.batch, max(1, min(wanted, LARGEST // elements))):
            for outputs in _cut(first.output, max(1, first.output * LARGEST // elements)):
                part = replace(self, batch=samples.stop - samples.start, axes=(first.cut(outputs), *self.axes[1:]))
                yield samples, outputs, part

    def with_first_axis(self, array: Array, at: int) -> Array:
        """The array with a dimension of 1 for the axis in front, where `lowered` has one more than `axes`."""
        return array if len(self.lowered) == len(self.axes) else np.expand_dims(array, at)

    def bound(self, x: Array, y: Array, work: Array) -> list[_Part]:
        """Every part with its views."""
        bound, before = [], None
        for samples, outputs, part in self.parts():
            bound.append(_Part(part, x[samples], y[samples, :, outputs], work, fresh=part != before))
            before = part
        return bound

    def gradients(self) -> Iterator[tuple[Index, Index, Correlation | None]]:
        """The correlations that give the input's gradient: for which positions, with which taps."""
        for phases in product(*(tuple(axis.phases()) for axis in self.axes)):
            axes = tuple(axis for _, _, axis in phases if axis is not None)
            back = Correlation(self.batch, self.groups, self.outputs, self.channels, axes)
            complete = len(axes) == len(phases)
            yield tuple(p for p, _, _ in phases), tuple(t for _, t, _ in phases), back if complete else None


def _cut(size: int, most: int) -> list[slice]:
    """Even parts, none larger than `most`, the largest first."""
    count = -(-size // most)
    bounds = [-(-size * i // count) for i in range(count + 1)] if count else [0]
    return [slice(a, b) for a, b in pairwise(bounds)]


def _room(shape: Shape) -> int:
    """Elements that an array takes in the work space: whole cache lines."""
    return -(-math.prod(shape) // 16) * 16


class _Part:
    """The views of one part: a matrix of columns for each tap of the first axis, and rows of output."""

    def __init__(self, part: Correlation, x: Array, y: Array, work: Array, *, fresh: bool) -> None:
        """`fresh` where the part before was another: its padding was elsewhere."""
        arrays = []
        for shape in part.shapes:
            arrays.append(work[: math.prod(shape)].reshape(shape))
            work = work[_room(shape) :]
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
        patches = as_strided(x, columns.shape, (channel, *taps, position, sample, *outputs))
        if patches.flags.c_contiguous:
            return patches
        self._copies.append((columns, patches))
        return columns

    def lower(self) -> None:
        """Fill the columns."""
        for target, source in self._copies:
            np.copyto(target, source)


def in_order(actions: Sequence[Action]) -> Action:
    """One action that runs these."""

    def run() -> None:
        for action in actions:
            action()

    return run


def _zero(array: Array) -> Action:
    def fill() -> None:
        array.fill(0)

    return fill


def correlate(
    correlation: Correlation, x: Array, weight: Array, y: Array, work: Array, *, bias: Array | None = None
) -> Action:
    """y = x correlated with weight, and the bias added."""
    parts = correlation.bound(x, y, work)
    if not parts:
        return _zero(y)
    taps = np.moveaxis(correlation.with_first_axis(weight, 3), 3, 0)  # (first, groups, outputs, channels, ...)
    matrices = parts[0].weight
    copied = None if taps.flags.c_contiguous else matrices.reshape(taps.shape)
    if copied is None:
        matrices = taps.reshape(matrices.shape)
    column = None if bias is None else bias.reshape(*parts[0].rows.shape[:2], 1)

    def forward() -> None:
        if copied is not None:
            np.copyto(copied, taps)
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

    return forward


def weight_gradient(correlation: Correlation, x: Array, grad_y: Array, grad_weight: Array, work: Array) -> Action:
    """grad_weight = the outputs' gradients times the patches that they saw, summed over the parts."""
    parts = correlation.bound(x, grad_y, work)
    if not parts:
        return _zero(grad_weight)
    taps = np.moveaxis(correlation.with_first_axis(grad_weight, 3), 3, 0)
    total, spare = parts[0].total, parts[0].weight
    copied = None if taps.flags.c_contiguous else total.reshape(taps.shape)
    if copied is None:
        total = taps.reshape(total.shape)

    def backward() -> None:
        for index, part in enumerate(parts):
            part.lower()
            if part.result is not part.y:
                np.copyto(part.result, part.y)
            target = spare if index else total
            for columns, out in zip(part.columns_t, target, strict=True):
                np.matmul(part.rows, columns, out=out)
            if index:
                np.add(total, spare, out=total)
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
