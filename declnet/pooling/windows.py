"""Windows that slide over the last dimensions of an array: what max and mean pooling share."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import field
from itertools import product
from typing import ClassVar, Self

from pydantic import model_validator

from declnet.core.component import Module
from declnet.core.spec import Array, Spec
from declnet.errors import ShapeError
from declnet.layers.sizes import Sizes, each, require_channels_first
from declnet.records import record

Index = tuple[slice, ...]


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
class Windows:
    """The windows along all dimensions."""

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
    def tiled(self) -> bool:
        """Whether every position lies in exactly one window."""
        return all(axis.tiled for axis in self.axes)

    def each_tap(self) -> Iterator[tuple[Index, Index]]:
        """In which windows a tap lies on the input, and where there; the taps of the last dimension fastest."""
        for taps in product(*(range(axis.kernel) for axis in self.axes)):
            pairs = [axis.tap(tap) for axis, tap in zip(self.axes, taps, strict=True)]
            yield (slice(None), *(windows for windows, _ in pairs)), (slice(None), *(places for _, places in pairs))


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
