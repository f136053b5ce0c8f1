"""AvgPool1d, AvgPool2d, over one kernel for any number of dimensions."""

from __future__ import annotations

import math
from abc import ABC
from collections.abc import Callable, Iterator
from functools import partial, reduce
from typing import ClassVar, Literal, Self, final

import numpy as np
from pydantic import NonNegativeInt, model_validator

from declnet.core.component import Action, Scratch, Site, Step
from declnet.core.numerics import room
from declnet.core.registry import modules
from declnet.core.spec import Array, Spec
from declnet.core.threads import in_order, side_by_side
from declnet.layers.sizes import Pad1, Pad2, Size1, Step2
from declnet.pooling.windows import Axis, Line, Pool, Windows, along


class _AvgPool(Pool, ABC):
    """What the two have in common: everything but the number of dimensions."""

    ceil_mode: bool = False
    count_include_pad: bool = True

    def windows(self, shape: tuple[int, ...]) -> Windows:
        """The windows on an input of this shape."""
        return self._windows(shape, 1, ceil_mode=self.ceil_mode)

    def infer(self, input: Spec) -> Spec:
        """(N, C, *sizes) to (N, C, *numbers of windows)."""
        self.require_kinds(("float", "int"), input)
        return super().infer(input)

    def divisors(self, windows: Windows) -> Array:
        """What the sum of each window is divided by: how many positions it covers."""
        return reduce(np.multiply.outer, [_covered(axis, self.count_include_pad) for axis in windows.axes])

    def scratch(self, input: Spec, *, training: bool) -> dict[str, Scratch]:
        """What is between the dimensions of some planes; in backward shares, of integers what a quotient leaves."""
        windows, planes = self.windows(input.shape), math.prod(input.shape[: -self.dims])
        names = {f"between{i}": Scratch(shape, input.kind) for i, shape in enumerate(windows.between(planes))}
        if training or input.kind == "int":
            some = min(planes, windows.planes_at_once)
            names["share"] = Scratch((len(windows.lanes(planes)), some, *windows.outputs), input.kind)
        return names

    def bind(self, site: Site) -> Step:
        """Add up along one dimension after another, and divide; backward each position gets an equal share."""
        windows, training = self.windows(site.input.shape), site.grad_input is not None
        divisors = self.divisors(windows).astype(site.input.dtype)
        forward: list[Action] = []
        backward: list[Action] = []
        for lane, blocks in enumerate(windows.lanes(math.prod(site.input.shape[: -self.dims]))):
            parts = [_Planes(windows, site, lane, block, self.planes) for block in blocks]
            forward.append(in_order([action for part in parts for action in part.forward(divisors)]))
            if training:
                backward.append(in_order([action for part in parts for action in part.backward(divisors)]))
        return Step(side_by_side(forward), side_by_side(backward) if training else None)


class _Planes:
    """Some planes: what they are before, between and after the dimensions, and what is done with them."""

    def __init__(
        self, windows: Windows, site: Site, lane: int, block: slice, planes: Callable[[Array], Array]
    ) -> None:
        self.lines = windows.lines(block.stop - block.start)
        shapes = [line.outputs for line in self.lines]
        self.between = [room(site.scratch[f"between{i}"][lane], shape) for i, shape in enumerate(shapes[:-1])]
        self.x, self.y = planes(site.input)[block], planes(site.output)[block]
        self.share = site.scratch["share"][lane, : len(self.y)] if "share" in site.scratch else None
        if site.grad_input is not None:
            self.grad_x, self.grad_y = planes(site.grad_input)[block], planes(site.upstream)[block]

    def forward(self, divisors: Array) -> Iterator[Action]:
        """y = the sums of the windows / divisors."""
        for line, x, y in along(self.lines, self.x, *self.between, self.y):
            yield from _sum(line, x, y)
        if self.y.dtype.kind == "f":
            yield partial(np.divide, self.y, divisors, self.y)
        else:  # towards 0, as PyTorch has it
            yield partial(np.fmod, self.y, divisors, self.share)
            yield partial(np.subtract, self.y, self.share, self.y)
            yield partial(np.floor_divide, self.y, divisors, self.y)

    def backward(self, divisors: Array) -> Iterator[Action]:
        """grad_x = the shares of the windows that cover a position, added up where windows overlap."""
        if self.share is None:
            raise AssertionError("asked for gradients of integers")
        yield partial(np.divide, self.grad_y, divisors, self.share)
        for line, grad_x, grad_y in reversed(along(self.lines, self.grad_x, *self.between, self.share)):
            yield from _spread(line, grad_y, grad_x)


def _covered(axis: Axis, padding: bool) -> Array:
    """How many positions each window covers, with padding or without. What hangs over the padding never counts."""
    start = np.arange(axis.output) * axis.stride - axis.padding
    stop = np.minimum(start + axis.kernel, axis.size + axis.padding)
    return stop - start if padding else np.minimum(stop, axis.size) - np.maximum(start, 0)


def _quotient(rest: Array) -> Callable[[Array, Array, Array], object]:
    """The division of integers towards 0, as PyTorch has it."""

    def divide(sums: Array, divisors: Array, out: Array) -> None:
        left = rest[: len(sums)]
        np.fmod(sums, divisors, left)
        np.subtract(sums, left, out)
        np.floor_divide(out, divisors, out)

    return divide


def _sum(line: Line, x: Array, y: Array) -> Iterator[Action]:
    """y = the sums of the windows of x."""
    taps = [(y[inside], x[places]) for _, inside, places in line.taps()]
    if taps[0][0].shape == y.shape:
        yield partial(np.copyto, *taps.pop(0))
    else:
        yield partial(y.fill, 0)
    for total, tap in taps:
        yield partial(np.add, total, tap, total)


def _spread(line: Line, grad_y: Array, grad_x: Array) -> Iterator[Action]:
    """grad_x = the shares of the windows along one dimension."""
    tiled = line.axis.tiled
    if not tiled:
        yield partial(grad_x.fill, 0)
    for _, inside, places in line.taps():
        total, part = grad_x[places], grad_y[inside]
        yield partial(np.copyto, total, part) if tiled else partial(np.add, total, part, total)


@modules.register
@final
class AvgPool1d(_AvgPool):
    """Mean of each window along one dimension: output[p] = mean over t of input[p * stride + t - padding].

    Shape:
        input: (N, C, L), or (C, L), floats or integers (whose means are rounded towards 0).
        output: (N, C, M), or (C, M), with
            M = floor((L + 2 * padding - kernel_size) / stride) + 1; with ceil_mode rounded up, without windows that
            would start in the padding at the end.

    Parameters:
        kernel_size: how many positions a window covers.
        stride: distance between windows; left out, kernel_size.
        padding: zeros added on both sides; at most half of kernel_size.
        ceil_mode: whether the last window may hang over the end; what hangs over the padding is not counted.
        count_include_pad: whether the zeros of the padding count in the mean.

    Raises:
        ConfigError: padding is more than half of kernel_size.
        ShapeError: the input holds booleans, has other dimensions or is empty but for the batch; or no
            window fits on it.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.AvgPool1d.html
    """

    pytorch = "torch.nn.AvgPool1d"
    dims: ClassVar[int] = 1

    type: Literal["AvgPool1d"] = "AvgPool1d"
    kernel_size: Size1
    stride: Size1 | None = None
    padding: Pad1 = 0


@modules.register
@final
class AvgPool2d(_AvgPool):
    """Mean of each window: output[p, q] = mean over t, u of input[p * stride + t - padding, ...].

    Shape:
        input: (N, C, H, W), or (C, H, W), floats or integers (whose means are rounded towards 0).
        output: (N, C, P, Q), or (C, P, Q), with
            P = floor((H + 2 * padding - kernel_size) / stride) + 1, and Q likewise; with ceil_mode rounded up,
            without windows that would start in the padding below or right.

    Parameters:
        kernel_size: how many positions a window covers: one number, or [height, width].
        stride: distance between windows: one number, or [down, across]; left out, kernel_size.
        padding: zeros added on both sides: one number, or [above and below, left and right]; at most half of
            kernel_size.
        ceil_mode: whether the last windows may hang over the edge; what hangs over the padding is not counted.
        count_include_pad: whether the zeros of the padding count in the mean.
        divisor_override: divides the sums instead of the count; not 0.

    Raises:
        ConfigError: padding is more than half of kernel_size, or divisor_override is 0.
        ShapeError: the input holds booleans, has other dimensions or is empty but for the batch; or no
            window fits on it.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.AvgPool2d.html
    """

    pytorch = "torch.nn.AvgPool2d"
    dims: ClassVar[int] = 2

    type: Literal["AvgPool2d"] = "AvgPool2d"
    kernel_size: Step2
    stride: Step2 | None = None
    padding: Pad2 | tuple[NonNegativeInt] = 0
    divisor_override: int | None = None

    @model_validator(mode="after")
    def _divisor_is_not_zero(self) -> Self:
        if self.divisor_override == 0:
            raise ValueError("divisor_override must not be 0")
        return self

    def divisors(self, windows: Windows) -> Array:
        """divisor_override for all windows, where it is given."""
        return super().divisors(windows) if self.divisor_override is None else np.array(self.divisor_override)
