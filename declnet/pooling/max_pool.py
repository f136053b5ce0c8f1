"""MaxPool1d, MaxPool2d, over one kernel for any number of dimensions."""

from __future__ import annotations

import math
from abc import ABC
from typing import ClassVar, Final, Literal, final

import numpy as np
from pydantic import NonNegativeInt

from declnet.core.component import Action, Scratch, Site, Step
from declnet.core.numerics import bits
from declnet.core.registry import modules
from declnet.core.spec import Array, Spec
from declnet.errors import ShapeError
from declnet.layers.sizes import Pad1, Pad2, Size1, Sizes, Step2
from declnet.pooling.windows import Pool, Windows

GATHERED: Final = 1 << 15
"""Elements of the windows that are gathered at a time, so that they stay in the cache."""


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
        """Some planes, tap by tap; in training which of these are the largest, their ranks, and which tap won."""
        windows = self.windows(input.shape)
        planes, width = math.prod(input.shape[: -self.dims]), _rank_width(windows.taps)
        block = (windows.taps, _planes_at_once(planes, windows), *windows.outputs)
        names = {"taps": Scratch(block, input.kind)}
        if training and input.kind == "float":
            names |= {"hit": Scratch(block, "bool"), "rank": Scratch((*block, width), "bool")}
            names |= {"winner": Scratch((planes, *windows.outputs, width), "bool", saved=True)}
        return names

    def bind(self, site: Site) -> Step:
        """Gather the windows, and take the largest tap; backward the gradient goes to the tap that won."""
        windows = self.windows(site.input.shape)
        x, y, taps = self.planes(site.input), self.planes(site.output), site.scratch["taps"]
        grad_x = None if site.grad_input is None else self.planes(site.grad_input)
        winner = None if grad_x is None else _ranks(site.scratch["winner"])
        lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
        first: list[Action] = []
        second: list[Action] = []
        for start in range(0, len(x), max(1, taps.shape[1])):
            block = slice(start, start + taps.shape[1])
            first.append(_largest(windows, x[block], y[block], taps))
            if winner is not None and grad_x is not None:
                first.append(_rank(windows, y[block], winner[block], site))
                second.append(
                    _spread(windows, winner[block], self.planes(site.upstream)[block], grad_x[block], site)
                )

        def forward() -> None:
            taps.fill(lowest)
            for action in first:
                action()

        def backward() -> None:
            for action in second:
                action()

        return Step(forward) if grad_x is None else Step(forward, backward)


def _planes_at_once(planes: int, windows: Windows) -> int:
    return min(planes, max(1, GATHERED // (windows.taps * math.prod(windows.outputs))))


def _rank_width(taps: int) -> int:
    """Bytes of the smallest integers that hold a rank for each tap."""
    return next(width for width in (1, 2, 4, 8) if taps < 256**width)


def _ranks(scratch: Array) -> Array:
    """Bytes (..., width) as integers of this width."""
    return scratch.view(f"u{scratch.shape[-1]}")[..., 0]


def _largest(windows: Windows, x: Array, y: Array, taps: Array) -> Action:
    """taps = the windows, y = the largest tap of each; taps on padding hold the lowest number already."""
    taps = taps[:, : len(x)]
    copies = [(tap[inside], x[places]) for tap, (inside, places) in zip(taps, windows.each_tap(), strict=True)]

    def forward() -> None:
        for target, source in copies:
            np.copyto(target, source)
        np.maximum.reduce(taps, axis=0, out=y)

    return forward


def _rank(windows: Windows, y: Array, winner: Array, site: Site) -> Action:
    """winner = number of taps - t for the first tap t that is the largest; 0 where all taps lie on padding."""
    count = windows.taps
    taps, hit, rank = (site.scratch[name][:, : len(y)] for name in ("taps", "hit", "rank"))
    falling = np.zeros((count, 1, *windows.outputs), winner.dtype)
    for tap, (inside, _) in enumerate(windows.each_tap()):
        falling[tap][inside] = count - tap
    rank, hit_number, largest = _ranks(rank), hit.view("u1"), np.zeros((), y.dtype)

    def forward() -> None:
        np.equal(taps, y, out=hit)
        np.multiply(hit_number, falling, out=rank)
        np.maximum.reduce(rank, axis=0, out=winner)
        np.maximum.reduce(y, axis=None, out=largest)
        if np.isnan(largest):  # allocates, but such a run is lost; of several NaN PyTorch takes the last
            lost = np.isnan(y)
            winner[lost] = 1 + np.argmax(np.isnan(taps[::-1]), axis=0)[lost]

    return forward


def _spread(windows: Windows, winner: Array, grad_y: Array, grad_x: Array, site: Site) -> Action:
    """grad_x = the gradients of the windows that a position won, added up where windows overlap."""
    hit, part = site.scratch["hit"][0, : len(winner)], site.scratch["taps"][0, : len(winner)]
    hit_number, mask, grad_bits = hit.view("i1"), bits(part), bits(grad_y)
    ranks = np.arange(windows.taps, 0, -1).astype(winner.dtype)
    places = [(grad_x[there], part[inside]) for inside, there in windows.each_tap()]
    taps = [(rank, target, bits(target), source) for rank, (target, source) in zip(ranks, places, strict=True)]
    tiled = windows.tiled

    def backward() -> None:
        if not tiled:
            grad_x.fill(0)
        for rank, target, target_bits, source in taps:
            np.equal(winner, rank, out=hit)
            np.negative(hit_number, out=mask)  # all bits set, or none: unlike a product it stops infinities too
            np.bitwise_and(mask, grad_bits, out=target_bits if tiled else mask)
            if not tiled:
                np.add(target, source, out=target)

    return backward


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
