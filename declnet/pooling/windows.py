"""Windows that slide over the last dimensions of an array: what max and mean pooling share."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import field
from typing import ClassVar, Final, Self

from pydantic import model_validator

from declnet.core.component import Module
from declnet.core.numerics import BLOCK
from declnet.core.spec import Array, Spec
from declnet.core.threads import cut
from declnet.errors import ShapeError
from declnet.layers.sizes import Sizes, each, require_channels_first
from declnet.records import record

Index = tuple[slice, ...]

AT_ONCE: Final = 4 * BLOCK
"""Elements worked on at a time: more than the L2 cache holds, because threads that come back to the interpreter
often wait for one another there (measured).
"""


@record
class Axis:
    """One dimension: tap t of window p lies at p * stride + t * dilation - padding."""

    size: int
    kernel: int
    stride: int
    padding: int
    dilation: int
    ceil_mode: bool = field(kw_only=True)

    @property
    def reach(self) -> int:
        """Positions from the first tap to the last."""
        return (self.kernel - 1) * self.dilation + 1

    @property
    def output(self) -> int:
        """How many windows there are. In ceil_mode the last may hang over, but not start in the padding behind."""
        steps = self.size + 2 * self.padding - self.reach
        if not self.ceil_mode:
            return steps // self.stride + 1
        count = -(-steps // self.stride) + 1
        return count - 1 if (count - 1) * self.stride >= self.size + self.padding else count

    @property
    def tiled(self) -> bool:
        """Whether every position lies in exactly one window."""
        return (
            self.reach == self.stride == self.kernel
            and self.padding == 0
            and self.size == self.output * self.stride
        )

    def tap(self, tap: int) -> tuple[slice, slice]:
        """The windows in which a tap lies on the input, and where it lies there."""
        offset = tap * self.dilation - self.padding
        start = max(0, -(offset // self.stride))
        stop = max(start, min(self.output, (self.size - 1 - offset) // self.stride + 1))
        first = start * self.stride + offset
        last = first + (stop - start) * self.stride
        return slice(start, stop), slice(first, last, self.stride) if stop > start else slice(0)


@record
class Line:
    """One dimension of some planes, those before it and after it taken together: (before, size, after)."""

    before: int
    axis: Axis
    after: int

    @property
    def inputs(self) -> tuple[int, int, int]:
        """The shape of what the windows are of."""
        return self.before, self.axis.size, self.after

    @property
    def outputs(self) -> tuple[int, int, int]:
        """The shape of what there is one of for each window."""
        return self.before, self.axis.output, self.after

    def taps(self) -> Iterator[tuple[int, Index, Index]]:
        """Each tap, in which windows it lies on the input, and where there."""
        for tap in range(self.axis.kernel):
            windows, places = self.axis.tap(tap)
            yield tap, (slice(None), windows), (slice(None), places)


def along(lines: list[Line], *arrays: Array) -> list[tuple[Line, Array, Array]]:
    """Each dimension with what is before it and after it, of the arrays before, between and after all of them."""
    pairs = zip(lines, arrays, arrays[1:], strict=False)
    return [(line, before.reshape(line.inputs), after.reshape(line.outputs)) for line, before, after in pairs]


@record
class Windows:
    """The windows along all dimensions. The largest or the sum of a window is that of its rows' largest or sums, so
    dimensions are taken one after another, the last one first: a window of 9 x 9 takes 18 steps and not 81.
    """

    axes: tuple[Axis, ...]

    @property
    def taps(self) -> int:
        """How many taps a window has."""
        return math.prod(axis.kernel for axis in self.axes)

    @property
    def outputs(self) -> tuple[int, ...]:
        """How many windows there are along each dimension."""
        return tuple(axis.output for axis in self.axes)

    @property
    def plane(self) -> int:
        """The largest number of elements that a plane has before, between and after the dimensions."""
        return max(math.prod(shape) for line in self.lines(1) for shape in (line.inputs, line.outputs))

    def lines(self, planes: int) -> list[Line]:
        """The dimensions of some planes, in the order in which they are taken."""
        sizes, outputs = [axis.size for axis in self.axes], self.outputs
        places = range(len(sizes) - 1, -1, -1)
        return [
            Line(planes * math.prod(sizes[:place]), self.axes[place], math.prod(outputs[place + 1 :]))
            for place in places
        ]

    @property
    def planes_at_once(self) -> int:
        """How many planes are worked on at a time."""
        return max(1, AT_ONCE // self.plane)

    def lanes(self, planes: int) -> list[list[slice]]:
        """The planes that are worked on at a time, in runs that threads may take."""
        some = self.planes_at_once
        blocks = [slice(start, min(start + some, planes)) for start in range(0, planes, some)]
        cost = some * self.plane * sum(axis.kernel for axis in self.axes)
        return [blocks[lane] for lane in cut(len(blocks), cost)]

    def between(self, planes: int) -> list[tuple[int, ...]]:
        """The shapes of what is between the dimensions, for as many planes as are worked on at a time, by lanes."""
        some, lanes = min(planes, self.planes_at_once), len(self.lanes(planes))
        return [(lanes, *line.outputs) for line in self.lines(some)[:-1]]


class Pool(Module, ABC):
    """What makes one number of each window."""

    dims: ClassVar[int]
    kernel_size: Sizes
    stride: Sizes | None = None
    padding: Sizes = 0

    @model_validator(mode="after")
    def _padding_is_at_most_half(self) -> Self:
        for pad, kernel in zip(each(self.padding, self.dims), each(self.kernel_size, self.dims), strict=True):
            if pad > kernel // 2:
                raise ValueError(f"padding must be at most half of kernel_size: {kernel // 2}, got {pad}")
        return self

    @abstractmethod
    def windows(self, shape: tuple[int, ...]) -> Windows:
        """The windows on an input of this shape."""

    def _windows(self, shape: tuple[int, ...], dilation: Sizes, *, ceil_mode: bool) -> Windows:
        stride = self.kernel_size if self.stride is None else self.stride
        given = (each(value, self.dims) for value in (self.kernel_size, stride, self.padding, dilation))
        axes = zip(shape[-self.dims :], *given, strict=True)
        return Windows(tuple(Axis(*numbers, ceil_mode=ceil_mode) for numbers in axes))

    def infer(self, input: Spec) -> Spec:
        """(N, C, *sizes) to (N, C, *numbers of windows)."""
        require_channels_first(self, input, self.dims)
        windows = self.windows(input.shape)
        for axis in windows.axes:
            if axis.output < 1:
                padded = f", {axis.size + 2 * axis.padding} with padding" if axis.padding else ""
                raise ShapeError(
                    f"{type(self).__name__}'s window covers {axis.reach} positions but its input {input} has "
                    f"{axis.size}{padded}",
                    field="kernel_size",
                    argument=0,
                )
        return Spec((*input.shape[: -self.dims], *windows.outputs), input.kind)

    def flops(self, input: Spec) -> int:
        """A comparison or an addition for each tap."""
        return self.infer(input).size * self.windows(input.shape).taps

    def planes(self, array: Array) -> Array:
        """(N, C, *sizes) or (C, *sizes) as (N * C, *sizes)."""
        return array.reshape(math.prod(array.shape[: -self.dims]), *array.shape[-self.dims :])
