"""MaxPool1d, MaxPool2d, over one kernel for any number of dimensions."""

from __future__ import annotations

import math
from abc import ABC
from collections.abc import Iterator
from functools import partial
from typing import ClassVar, Literal, final

import numpy as np
from pydantic import NonNegativeInt

from declnet.core.component import Action, Scratch, Site, Step
from declnet.core.numerics import bits, room
from declnet.core.registry import modules
from declnet.core.spec import Array, Spec
from declnet.core.threads import in_order, side_by_side
from declnet.errors import ShapeError
from declnet.layers.sizes import Pad1, Pad2, Size1, Sizes, Step2
from declnet.pooling.windows import Line, Pool, Windows, along
from declnet.records import record


class _MaxPool(Pool, ABC):
    """What the two have in common: everything but the number of dimensions."""

    refused: ClassVar[dict[str, str]] = {
        "return_indices": "a component has one output, and MaxUnpool, which reads them, is not there"
    }

    dilation: Sizes = 1
    ceil_mode: bool = False

    def windows(self, shape: tuple[int, ...]) -> Windows:
        """The windows on an input of this shape."""
        return self._windows(shape, self.dilation, ceil_mode=self.ceil_mode)

    def scratch(self, input: Spec, *, training: bool) -> dict[str, Scratch]:
        """What is between the dimensions of some planes, a tap, and in training which tap won each window."""
        windows, planes = self.windows(input.shape), math.prod(input.shape[: -self.dims])
        names = {f"between{i}": Scratch(shape, input.kind) for i, shape in enumerate(windows.between(planes))}
        block = len(windows.lanes(planes)), min(planes, windows.planes_at_once) * windows.plane
        names["part"] = Scratch(block, input.kind)
        if training and input.kind == "float":
            names["hit"] = Scratch(block, "bool")
            for i, line in enumerate(windows.lines(planes)):
                width = _rank_width(line.axis.kernel)
                names[f"rank{i}"] = Scratch((*block, width), "bool")
                names[f"winner{i}"] = Scratch((*line.outputs, width), "bool", saved=True)
        return names

    def bind(self, site: Site) -> Step:
        """The largest along one dimension after another; backward the gradient goes back to the tap that won."""
        windows, training = self.windows(site.input.shape), site.grad_input is not None
        forward: list[Action] = []
        backward: list[Action] = []
        for lane, blocks in enumerate(windows.lanes(math.prod(site.input.shape[: -self.dims]))):
            parts = [_Planes(windows, site, lane, block, self.dims) for block in blocks]
            forward.append(in_order([action for part in parts for action in part.forward()]))
            if training:
                backward.append(in_order([action for part in parts for action in part.backward()]))
        return Step(side_by_side(forward), side_by_side(backward) if training else None)


def _rank_width(taps: int) -> int:
    """Bytes of the smallest integers that hold a rank for each tap."""
    return next(width for width in (1, 2, 4, 8) if taps < 256**width)


def _numbers(scratch: Array) -> Array:
    """Bytes (..., width) as integers of this width."""
    return scratch.view(f"u{scratch.shape[-1]}")[..., 0]


@record
class _Won:
    """Which tap won each window of a dimension, and room to find out."""

    winner: Array
    rank: Array
    hit: Array


class _Planes:
    """Some planes: what they are before, between and after the dimensions, and what is done with them."""

    def __init__(self, windows: Windows, site: Site, lane: int, block: slice, dims: int) -> None:
        def some(array: Array) -> Array:
            return array.reshape(math.prod(site.input.shape[:-dims]), -1)[block]

        lines = windows.lines(block.stop - block.start)
        shapes = [line.outputs for line in lines]
        between = [room(site.scratch[f"between{i}"][lane], shape) for i, shape in enumerate(shapes[:-1])]
        self.steps = along(lines, some(site.input), *between, some(site.output))
        self.parts = [room(site.scratch["part"][lane], shape) for shape in shapes]
        self.won: list[_Won] = []
        if site.grad_input is None:
            return
        self.grads = along(lines, some(site.grad_input), *between, some(site.upstream))
        for i, shape in enumerate(shapes):
            winner, rank = (_numbers(site.scratch[f"{name}{i}"]) for name in ("winner", "rank"))
            hit = room(site.scratch["hit"][lane], shape)
            self.won.append(_Won(some(winner).reshape(shape), room(rank[lane], shape), hit))

    def forward(self) -> Iterator[Action]:
        """Each dimension in turn; then whatever NaN there are."""
        for i, (step, part) in enumerate(zip(self.steps, self.parts, strict=True)):
            yield from _largest(*step, part, self.won[i] if self.won else None)
        if self.won:
            yield self._mend

    def _mend(self) -> None:
        """NaN is not larger than anything, and yet the largest; of several PyTorch takes the last."""
        if not np.isnan(np.maximum.reduce(self.steps[-1][2], axis=None)):
            return
        for (line, x, _), won in zip(self.steps, self.won, strict=True):
            for number, inside, places in line.taps():  # allocates, but such a run is lost
                won.winner[inside][np.isnan(x[places])] = number

    def backward(self) -> Iterator[Action]:
        """Each dimension, the last one that was taken first."""
        for step, part, won in reversed(list(zip(self.grads, self.parts, self.won, strict=True))):
            yield from _spread(*step, part, won)


def _largest(line: Line, x: Array, y: Array, tap: Array, won: _Won | None) -> Iterator[Action]:
    """y = the largest tap of each window; winner = the first tap that is, or where all of them lie on padding, how
    many there are. A tap is copied first: what is not apart in memory NumPy compares three times as fast.
    """
    taps = list(line.taps())
    lowest = -np.inf if y.dtype.kind == "f" else np.iinfo(y.dtype).min
    if y[taps[0][1]].shape == y.shape:
        yield partial(np.copyto, y, x[taps.pop(0)[2]])
        if won is not None:
            yield partial(won.winner.fill, 0)
    else:
        yield partial(y.fill, lowest)
        if won is not None:
            first = np.full((line.axis.output, 1), line.axis.kernel, won.winner.dtype)
            for number, (_, windows), _ in reversed(taps):
                first[windows] = number
            yield partial(np.copyto, won.winner, first)
    for number, inside, places in taps:
        if tap[inside].shape != tap.shape:
            yield partial(tap.fill, lowest)
        yield partial(np.copyto, tap[inside], x[places])
        if won is not None:
            yield partial(np.greater, tap, y, won.hit)
            yield partial(np.multiply, won.hit.view("u1"), np.array(number, won.rank.dtype), won.rank)
            yield partial(np.maximum, won.winner, won.rank, out=won.winner)
        yield partial(np.maximum, y, tap, out=y)


def _spread(line: Line, grad_x: Array, grad_y: Array, part: Array, won: _Won) -> Iterator[Action]:
    """grad_x = the gradients of the windows that a position won, added up where windows overlap."""
    mask, grad_bits, tiled = bits(part), bits(grad_y), line.axis.tiled
    if not tiled:
        yield partial(grad_x.fill, 0)
    for number, inside, places in line.taps():
        yield partial(np.equal, won.winner, np.array(number, won.winner.dtype), won.hit)
        # All bits set, or none: unlike a product it stops infinities too.
        yield partial(np.negative, won.hit.view("i1"), mask)
        yield partial(np.bitwise_and, mask, grad_bits, mask)
        if tiled:
            yield partial(np.copyto, grad_x[places], part[inside])
        else:
            yield partial(np.add, grad_x[places], part[inside], grad_x[places])


@modules.register
@final
class MaxPool1d(_MaxPool):
    """Largest of each window: output[p] = max over t of input[p * stride + t * dilation - padding].

    The gradient goes to the first of the largest. NaN counts as larger than anything.

    Shape:
        input: (N, C, L), or (C, L). output: (N, C, M), or (C, M), with
            M = floor((L + 2 * padding - dilation * (kernel_size - 1) - 1) / stride) + 1; with ceil_mode rounded up,
            without windows that would start in the padding at the end.

    Parameters:
        kernel_size: how many positions a window covers.
        stride: distance between windows; left out, kernel_size.
        padding: positions of -infinity added on both sides; at most half of kernel_size.
        dilation: distance between the positions that a window covers.
        ceil_mode: whether the last window may hang over the end.

    Raises:
        ConfigError: padding is more than half of kernel_size.
        ShapeError: the input is not floating point, has other dimensions or is empty but for the batch; or no
            window fits on it.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.MaxPool1d.html
    """

    pytorch = "torch.nn.MaxPool1d"
    dims: ClassVar[int] = 1

    type: Literal["MaxPool1d"] = "MaxPool1d"
    kernel_size: Size1
    stride: Size1 | None = None
    padding: Pad1 = 0
    dilation: Size1 = 1

    def infer(self, input: Spec) -> Spec:
        """(N, C, L) to (N, C, M)."""
        self.require_float(input)
        return super().infer(input)


@modules.register
@final
class MaxPool2d(_MaxPool):
    """Largest of each window: output[p, q] = max over t, u of input[p * stride + t * dilation - padding, ...].

    The gradient goes to the first of the largest, row by row. NaN counts as larger than anything.

    Shape:
        input: (N, C, H, W), or (C, H, W), floating point or integers. output: (N, C, P, Q), or (C, P, Q), with
            P = floor((H + 2 * padding - dilation * (kernel_size - 1) - 1) / stride) + 1, and Q likewise; with
            ceil_mode rounded up, without windows that would start in the padding below or right.

    Parameters:
        kernel_size: how many positions a window covers: one number, or [height, width].
        stride: distance between windows: one number, or [down, across]; left out, kernel_size.
        padding: positions of -infinity added on both sides: one number, or [above and below, left and right]; at
            most half of kernel_size.
        dilation: distance between the positions that a window covers: one number, or [down, across].
        ceil_mode: whether the last windows may hang over the edge.

    Raises:
        ConfigError: padding is more than half of kernel_size.
        ShapeError: the input holds booleans, has other dimensions or is empty but for the batch; or no window fits
            on it.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.MaxPool2d.html
    """

    pytorch = "torch.nn.MaxPool2d"
    dims: ClassVar[int] = 2

    type: Literal["MaxPool2d"] = "MaxPool2d"
    kernel_size: Step2
    stride: Step2 | None = None
    padding: Pad2 | tuple[NonNegativeInt] = 0
    dilation: Step2 = 1

    def infer(self, input: Spec) -> Spec:
        """(N, C, H, W) to (N, C, P, Q)."""
        if input.kind == "bool":
            raise ShapeError("MaxPool2d takes numbers but its input holds bools", argument=0)
        return super().infer(input)
