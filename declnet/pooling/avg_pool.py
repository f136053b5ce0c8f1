"""AvgPool1d, AvgPool2d, over one kernel for any number of dimensions."""

from __future__ import annotations

import math
from abc import ABC
from collections.abc import Callable
from functools import reduce
from typing import ClassVar, Literal, Self, final

import numpy as np
from pydantic import NonNegativeInt, model_validator

from declnet.core.component import Action, Scratch, Site, Step
from declnet.core.numerics import BLOCK
from declnet.core.registry import modules
from declnet.core.spec import Array, Spec
from declnet.layers.sizes import Pad1, Pad2, Size1, Step2
from declnet.pooling.windows import Axis, Pool, Windows


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
        """In backward the share of each position, for some planes; of integers what a quotient leaves."""
        windows = self.windows(input.shape)
        some = min(math.prod(input.shape[: -self.dims]), _planes_at_once(windows))
        if input.kind == "int":
            return {"rest": Scratch((some, *windows.outputs), "int")}
        return {"share": Scratch((some, *windows.outputs))} if training else {}

    def bind(self, site: Site) -> Step:
        """Add up tap by tap, and divide; backward every position of a window gets an equal share."""
        windows = self.windows(site.input.shape)
        divisors = self.divisors(windows).astype(site.input.dtype)
        x, y, some = self.planes(site.input), self.planes(site.output), _planes_at_once(windows)
        blocks = [slice(start, start + some) for start in range(0, len(x), some)]
        divide = np.divide if y.dtype.kind == "f" else _quotient(site.scratch["rest"])
        means = [_mean(windows, divisors, x[block], y[block], divide) for block in blocks]

        def forward() -> None:
            for mean in means:
                mean()

        if site.grad_input is None:
            return Step(forward)
        grad_x, grad_y, share = self.planes(site.grad_input), self.planes(site.upstream), site.scratch["share"]
        spreads = [_spread(windows, divisors, grad_y[block], grad_x[block], share) for block in blocks]

        def backward() -> None:
            for spread in spreads:
                spread()

        return Step(forward, backward)


def _planes_at_once(windows: Windows) -> int:
    return max(1, BLOCK // math.prod(windows.outputs))


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


def _mean(
    windows: Windows, divisors: Array, x: Array, y: Array, divide: Callable[[Array, Array, Array], object]
) -> Action:
    """y = the sums of the windows / divisors."""
    taps = [(y[inside], x[places]) for inside, places in windows.each_tap()]

    def forward() -> None:
        y.fill(0)
        for total, tap in taps:
            np.add(total, tap, out=total)
        divide(y, divisors, y)

    return forward


def _spread(windows: Windows, divisors: Array, grad_y: Array, grad_x: Array, share: Array) -> Action:
    """grad_x = the shares of the windows that cover a position, added up where windows overlap."""
    share = share[: len(grad_y)]
    taps = [(grad_x[places], share[inside]) for inside, places in windows.each_tap()]
    tiled = windows.tiled

    def backward() -> None:
        np.divide(grad_y, divisors, out=share)
        if not tiled:
            grad_x.fill(0)
        for total, part in taps:
            if tiled:
                np.copyto(total, part)
            else:
                np.add(total, part, out=total)

    return backward


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
