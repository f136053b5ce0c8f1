"""The sizes of convolution in any number of dimensions: a correlation, its gradients, and the parts of each.

A part of the batch at a time is lowered: its patches are laid out so that one matrix product with the weights gives
the outputs. The first axis is left as it is: its positions follow each other in memory, so that a tap of it is a
shifted view, and only the taps of the other axes are copied:

    columns[c, taps of the others, position on the first axis, n, outputs on the others]
    output[o, p, n, ...] = sum over t of weight[o, (c, taps), t] @ columns[(c, taps), p + t * dilation, n, ...]

That moves a third of the memory that the patches of a 3x3 kernel take. The gradient of the input is a correlation
again, of the output's gradient with the flipped weights, so nothing is ever scattered.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise, product
from typing import Final

import numpy as np

from declnet.core.spec import Array
from declnet.records import record

POSITIONS: Final = 768
"""Columns that a matrix product should have at least; samples are put together for it (measured)."""

LARGEST: Final = 1 << 20
"""Elements of the columns of one part, 4 MiB in float32; larger samples are cut along the first axis."""

LANES: Final = 4
"""Runs of parts that threads may take side by side. As many for any number of threads, so results are the same."""

WORTH: Final = 32_000_000
"""Floating-point operations from which that pays: half a millisecond on one thread, and threads meet in 25 us."""

Shape = tuple[int, ...]
Part = tuple[slice, slice, "Correlation"]
Index = tuple[slice, ...]


@record
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


@record
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
    spreads: bool = True
    """Whether the last axis may be spread."""

    @property
    def for_weights(self) -> Correlation:
        """The same for the gradient of the weights, where nothing is spread: zeros would stand where a tap has no
        output, and an infinite input times zero is NaN.
        """
        return replace(self, spreads=False)

    @property
    def spread(self) -> int:
        """How many results a product has for each output: one, or one for each tap of the last axis. Then its taps
        are not copied but the results are added up, each moved by its tap: less work where outputs are few.
        """
        *others, last = self.axes
        copied = self.channels * math.prod(axis.kernel for axis in (others[1:] if self._first_in_front else others))
        pays = len(others) > 0 and last.stride == 1 and last.span * self.outputs < last.output * copied
        return last.kernel if pays and self.spreads else 1

    @property
    def _first_in_front(self) -> bool:
        """Whether the taps of the first axis are products of their own, added up, and not copied."""
        first, *rest = self.axes
        copied = self.channels * math.prod(axis.kernel for axis in rest)  # against adding up `outputs` each time
        return len(rest) > 0 and first.kernel > 1 and first.stride == 1 and copied >= self.outputs

    @property
    def lowered(self) -> tuple[Axis, ...]:
        """The axes with the one in front whose taps are not copied: one of size 1 where that doesn't pay. The one
        that is spread has a single tap, and an output for each position.
        """
        if self.spread > 1:
            *others, last = self.axes
            return Axis(1, 1, 1), *others, Axis(last.size, last.span, 1, low=last.low)
        return self.axes if self._first_in_front else (Axis(1, 1, 1), *self.axes)

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The work space: weights, their gradient's sum; padded input, columns; rows of output, as many again."""
        first, *rest = self.lowered
        channels, kernel = self.groups * self.channels, tuple(axis.kernel for axis in rest)
        outputs = tuple(axis.output for axis in rest)
        results = self.spread * self.outputs
        weight = (first.kernel, self.groups, results, self.channels * math.prod(kernel))
        padded = (channels, first.span, self.batch, *(axis.span for axis in rest))
        columns = (channels, *kernel, first.span, self.batch, *outputs)
        rows = (self.groups * results, first.output, self.batch, *outputs)
        return weight, weight, padded, columns, rows, rows

    @property
    def work(self) -> int:
        """Elements of work space, for all lanes."""
        return self.room * len(self.lanes())

    @property
    def room(self) -> int:
        """Elements of work space for one lane: for the first and largest part."""
        return max((sum(map(room, part.shapes)) for _, _, part in self.parts()), default=0)

    @property
    def flops(self) -> int:
        """Floating-point operations of all products."""
        taps, places = math.prod(axis.kernel for axis in self.axes), math.prod(axis.output for axis in self.axes)
        return 2 * self.batch * self.groups * self.outputs * self.channels * taps * places

    def lanes(self) -> list[list[Part]]:
        """The parts, in runs that threads may take side by side; one run where there is little to do."""
        parts = list(self.parts())
        count = min(len(parts), LANES if self.flops >= WORTH else 1)
        return [parts[lane::count] for lane in range(count)]

    @property
    def product(self) -> int:
        """Floating-point operations of a matrix product that OpenBLAS may share among threads: one tap and one
        group of the first and largest part. None where the parts run side by side.
        """
        if len(self.lanes()) > 1:
            return 0
        sizes = ((part.shapes[0], part.shapes[4]) for _, _, part in self.parts())  # of weights, of rows of output
        return max((2 * math.prod(weight[2:]) * math.prod(row[1:]) for weight, row in sizes), default=0)

    def parts(self) -> Iterator[Part]:
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


def room(shape: Shape) -> int:
    """Elements that an array takes in the work space: whole cache lines."""
    return -(-math.prod(shape) // 16) * 16
