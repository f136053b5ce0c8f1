"""AdaptiveAvgPool1d, AdaptiveAvgPool2d, over one kernel that takes one dimension after another."""

from __future__ import annotations

import math
from abc import ABC
from collections.abc import Iterator
from typing import ClassVar, Final, Literal, final

import numpy as np
from pydantic import NonNegativeInt

from declnet.core.component import Action, Module, Scratch, Site, Step
from declnet.core.registry import modules
from declnet.core.spec import Array, Spec
from declnet.errors import ShapeError
from declnet.layers.sizes import require_channels_first
from declnet.records import record

SHORT: Final = 8
"""Positions of a window that are added up one by one (measured)."""


@record
class _Axis:
    """One dimension: window i covers floor(i * size / output) up to ceil((i + 1) * size / output).

    Such windows repeat with a period, so an array (before, size, after) is seen as (before, repeats, period, after)
    and a window of the first period is a slice for all periods.
    """

    before: int
    size: int
    output: int
    after: int

    @property
    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Input and output by periods."""
        repeats = math.gcd(self.size, self.output)
        inputs, outputs = self.size // repeats, self.output // repeats
        return (self.before, repeats, inputs, self.after), (self.before, repeats, outputs, self.after)

    @property
    def windows(self) -> list[slice]:
        """The windows of one period."""
        size, output = (shape[2] for shape in self.shapes)
        return [slice(i * size // output, -(-(i + 1) * size // output)) for i in range(output)]

    def lengths(self, like: Array) -> Array:
        """How many positions each window covers."""
        return np.array([window.stop - window.start for window in self.windows], like.dtype).reshape(-1, 1)

    def mean(self, x: Array, y: Array) -> Action:
        """y = the means of the windows of x."""
        inputs, outputs = (array.reshape(shape) for array, shape in zip((x, y), self.shapes, strict=True))
        sums = [_sum(inputs[:, :, window], outputs[:, :, i]) for i, window in enumerate(self.windows)]
        lengths = self.lengths(y)

        def forward() -> None:
            for add in sums:
                add()
            np.divide(outputs, lengths, out=outputs)

        return forward

    def spread(self, grad_y: Array, grad_x: Array, share: Array) -> Action:
        """grad_x = equal shares of the gradients of the windows, added up where windows overlap."""
        upstream, shares = (array.reshape(self.shapes[1]) for array in (grad_y, share))
        inputs = grad_x.reshape(self.shapes[0])
        pairs = [(inputs[:, :, window], shares[:, :, i : i + 1]) for i, window in enumerate(self.windows)]
        lengths = self.lengths(grad_y)

        def backward() -> None:
            np.divide(upstream, lengths, out=shares)
            inputs.fill(0)
            for window, part in pairs:
                np.add(window, part, out=window)

        return backward


def _sum(window: Array, total: Array) -> Action:
    """total = the sum along the third dimension. Where that is short, a reduction is slower than its additions."""
    first, *others = (window[:, :, i] for i in range(window.shape[2]))

    def add() -> None:
        if len(others) < SHORT:
            np.copyto(total, first)
            for other in others:
                np.add(total, other, out=total)
        else:
            np.add.reduce(window, axis=2, out=total)

    return add


class _AdaptiveAvgPool(Module, ABC):
    """What the two have in common: everything but the number of dimensions."""

    dims: ClassVar[int]

    output_size: int | tuple[int | None, ...]

    def infer(self, input: Spec) -> Spec:
        """(N, C, *sizes) to (N, C, *output_size)."""
        self.require_float(input)
        sizes = require_channels_first(self, input, self.dims, channels=False)
        wanted = self.output_size if isinstance(self.output_size, tuple) else (self.output_size,) * self.dims
        outputs = (size if output is None else output for size, output in zip(sizes, wanted, strict=True))
        return Spec((*input.shape[: -self.dims], *outputs))

    def flops(self, input: Spec) -> int:
        """An addition for each element along each dimension."""
        return sum(axis.before * axis.size * axis.after for axis in self._axes(input.shape))

    def _axes(self, shape: tuple[int, ...]) -> Iterator[_Axis]:
        """Each dimension in turn, those before it done; only one where all of them become 1 together."""
        sizes, outputs = list(shape[-self.dims :]), self.infer(Spec(shape)).shape[-self.dims :]
        before = math.prod(shape[: -self.dims])
        if set(outputs) == {1}:
            sizes, outputs = [math.prod(sizes)], (1,)
        for index, output in enumerate(outputs):
            yield _Axis(before, sizes[index], output, math.prod(sizes[index + 1 :]))
            before *= output

    def scratch(self, input: Spec, *, training: bool) -> dict[str, Scratch]:
        """What is between the dimensions; in backward, where PyTorch refuses what is empty, the shares of each."""
        if training:
            self._check_windows(input)
        shapes = [axis.shapes[1] for axis in self._axes(input.shape)]
        names = {f"between{i}": Scratch(shape) for i, shape in enumerate(shapes[:-1])}
        return names | ({f"share{i}": Scratch(shape) for i, shape in enumerate(shapes)} if training else {})

    def _check_windows(self, input: Spec) -> None:
        """Refuse, where there is a backward, no windows, and several windows of no channels."""
        output, name = self.infer(input), type(self).__name__
        if 0 in output.shape[-self.dims :]:
            raise ShapeError(f"{name} needs windows to train but its output is {output}", field="output_size")
        channels = output.shape[-self.dims - 1] if output.ndim == self.dims + 2 else 1
        if not channels and set(output.shape[-self.dims :]) != {1}:
            raise ShapeError(f"{name} needs channels to train but its input is {input}", argument=0)

    def bind(self, site: Site) -> Step:
        """Means along one dimension after another; backward in the opposite order."""
        axes = list(self._axes(site.input.shape))
        between = [site.scratch[f"between{i}"] for i in range(len(axes) - 1)]
        values = [site.input, *between, site.output]
        means = [axis.mean(x, y) for axis, x, y in zip(axes, values, values[1:], strict=False)]

        def forward() -> None:
            for mean in means:
                mean()

        if site.grad_input is None:
            return Step(forward)
        grads = [site.grad_input, *between, site.upstream]
        shares = [site.scratch[f"share{i}"] for i in range(len(axes))]
        spreads = [
            axis.spread(grad_y, grad_x, share)
            for axis, grad_x, grad_y, share in zip(axes, grads, grads[1:], shares, strict=False)
        ][::-1]

        def backward() -> None:
            for spread in spreads:
                spread()

        return Step(forward, backward)


@modules.register
@final
class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """Mean of output_size windows that cover the input evenly, whatever its size.

    output[i] = mean of input[floor(i * L / M)] to input[ceil((i + 1) * L / M) - 1]; neighbouring windows overlap
    where M does not divide L.

    Shape:
        input: (N, C, L), or (C, L). output: (N, C, M), or (C, M).

    Parameters:
        output_size: M, how many windows; 1 is the mean of all.

    Raises:
        ShapeError: the input is not floating point, has other dimensions, or L is 0; in training, output_size is 0,
            or there are several windows and no channels.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.AdaptiveAvgPool1d.html
    """

    pytorch = "torch.nn.AdaptiveAvgPool1d"
    dims: ClassVar[int] = 1

    type: Literal["AdaptiveAvgPool1d"] = "AdaptiveAvgPool1d"
    output_size: NonNegativeInt | tuple[NonNegativeInt]


@modules.register
@final
class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """Mean of output_size windows along each dimension that cover the input evenly, whatever its size.

    Along each dimension window i covers floor(i * H / P) up to ceil((i + 1) * H / P) - 1; neighbouring windows
    overlap where P does not divide H.

    Shape:
        input: (N, C, H, W), or (C, H, W). output: (N, C, P, Q), or (C, P, Q).

    Parameters:
        output_size: how many windows along both dimensions, or [P, Q]; null in there keeps the input's size. 1 is
            the mean of all.

    Raises:
        ShapeError: the input is not floating point, has other dimensions, or H or W is 0; in training, output_size
            is 0, or there are several windows and no channels.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.AdaptiveAvgPool2d.html
    """

    pytorch = "torch.nn.AdaptiveAvgPool2d"
    dims: ClassVar[int] = 2

    type: Literal["AdaptiveAvgPool2d"] = "AdaptiveAvgPool2d"
    output_size: NonNegativeInt | tuple[NonNegativeInt | None, NonNegativeInt | None]
