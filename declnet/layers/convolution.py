"""What Conv1d, Conv2d and Conv3d have in common: everything but the number of dimensions."""

from __future__ import annotations

import math
from abc import ABC
from dataclasses import replace
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import PositiveInt, model_validator

from declnet.core.component import Action, Module, Parameter, Scratch, Site, Step
from declnet.core.laws import fan_in_uniform
from declnet.core.spec import Array, Spec
from declnet.core.threads import in_order
from declnet.errors import ShapeError
from declnet.layers.borders import Border, fold, pad
from declnet.layers.correlation import Axis, Correlation
from declnet.layers.lowering import correlate, input_gradient, weight_gradient
from declnet.layers.sizes import Sizes, each, require_channels_first

Named = Literal["same", "valid"]


class Convolution(Module, ABC):
    """A convolution over `dims` dimensions, by the kernel in `lowering`."""

    saves: ClassVar[tuple[str, ...]] = ("input",)
    dims: ClassVar[int]

    in_channels: PositiveInt | None = None
    out_channels: PositiveInt
    kernel_size: Sizes
    stride: Sizes = 1
    padding: Sizes | Named = 0
    dilation: Sizes = 1
    groups: PositiveInt = 1
    bias: bool = True
    padding_mode: Literal["zeros", "reflect", "replicate", "circular"] = "zeros"

    @model_validator(mode="after")
    def _same_keeps_the_size(self) -> Self:
        if self.padding == "same" and any(step != 1 for step in each(self.stride, self.dims)):
            raise ValueError("padding 'same' keeps the size, so it needs a stride of 1")
        return self

    @model_validator(mode="after")
    def _only_a_border_takes_away(self) -> Self:
        """As PyTorch has it: it pads with zeros and convolves in one, with anything else in two steps."""
        if self.padding_mode == "zeros":
            if any(low < 0 for low, _ in self._pads):
                raise ValueError("padding must not be negative where padding_mode is zeros")
            return self
        for name in ("padding", "dilation") if self.padding == "same" else ("padding",):
            if isinstance(given := getattr(self, name), tuple) and len(given) != self.dims:
                raise ValueError(f"{name} must be one number, or {self.dims}, in padding_mode {self.padding_mode}")
        return self

    @model_validator(mode="after")
    def _groups_divide_channels(self) -> Self:
        for name, channels in (("in_channels", self.in_channels), ("out_channels", self.out_channels)):
            if channels is not None and channels % self.groups:
                raise ValueError(f"{name} {channels} cannot be divided into {self.groups} groups")
        return self

    def infer(self, input: Spec) -> Spec:
        """(N, in_channels, *sizes) to (N, out_channels, *sizes of the output)."""
        self.require_float(input)
        sizes = require_channels_first(self, input, self.dims)
        self._check_channels(input.shape[-self.dims - 1])
        axes = self._axes(sizes)
        for axis, (low, high) in zip(axes, self._pads, strict=True):
            most = {"reflect": axis.size - 1, "circular": axis.size}.get(self.padding_mode)
            if most is not None and max(low, high) > most:
                raise ShapeError(
                    f"{type(self).__name__} in padding_mode {self.padding_mode} pads an input {input} by {most} at "
                    f"most, not by {max(low, high)}",
                    field="padding",
                    argument=0,
                )
            if axis.output < 1:
                reach = (axis.kernel - 1) * axis.dilation + 1
                padded = f", {axis.size + low + high} with padding" if low + high else ""
                raise ShapeError(
                    f"{type(self).__name__}'s kernel covers {reach} positions but its input {input} has "
                    f"{axis.size}{padded}",
                    field="kernel_size",
                    argument=0,
                )
        return Spec((*input.shape[: -self.dims - 1], self.out_channels, *(axis.output for axis in axes)))

    def _check_channels(self, channels: int) -> None:
        """Refuse an input with other channels than in_channels, or such as the groups don't divide."""
        if self.in_channels not in (None, channels):
            raise ShapeError(
                f"{type(self).__name__} takes {self.in_channels} channels but its input has {channels}",
                field="in_channels",
                argument=0,
            )
        if channels % self.groups:
            raise ShapeError(
                f"{type(self).__name__} has {self.groups} groups but its input has {channels} channels",
                field="groups",
                argument=0,
            )

    def complete(self, input: Spec) -> Self:
        """Fill in in_channels."""
        return self.model_copy(update={"in_channels": input.shape[-self.dims - 1]})

    @property
    def _pads(self) -> tuple[tuple[int, int], ...]:
        """Padding before and behind, for each dimension."""
        if not isinstance(self.padding, str):
            return tuple((side, side) for side in each(self.padding, self.dims))
        if self.padding == "valid":
            return ((0, 0),) * self.dims
        sizes = zip(each(self.dilation, self.dims), each(self.kernel_size, self.dims), strict=True)
        total = [dilation * (kernel - 1) for dilation, kernel in sizes]
        return tuple((both // 2, both - both // 2) for both in total)  # an odd one goes behind

    @property
    def _border(self) -> Border | None:
        """How the border is filled, where there is one and it is not of zeros."""
        return None if self.padding_mode == "zeros" or not any(map(sum, self._pads)) else self.padding_mode

    def _axes(self, sizes: tuple[int, ...]) -> tuple[Axis, ...]:
        """The dimensions of the correlation, with padding of zeros."""
        given = (each(value, self.dims) for value in (self.kernel_size, self.stride, self.dilation))
        return tuple(
            Axis(
                size, (size + low + high - dilation * (kernel - 1) - 1) // stride + 1, kernel, stride, dilation, low
            )
            for size, kernel, stride, dilation, (low, high) in zip(sizes, *given, self._pads, strict=True)
        )

    def _correlation(self, shape: tuple[int, ...]) -> Correlation:
        """What is computed for an input of this shape; one with a border has it already."""
        channels, *sizes = shape[-self.dims - 1 :]
        axes = self._axes(tuple(sizes))
        if self._border is not None:
            axes = tuple(
                replace(axis, size=axis.size + low + high, low=0)
                for axis, (low, high) in zip(axes, self._pads, strict=True)
            )
        batch = shape[0] if len(shape) == self.dims + 2 else 1
        return Correlation(batch, self.groups, channels // self.groups, self.out_channels // self.groups, axes)

    def _correlations(self, input: Spec, *, training: bool) -> list[Correlation]:
        """All that is computed, forward and for the gradients."""
        correlation = self._correlation(input.shape)
        if not training:
            return [correlation]
        back = [part for _, _, part in correlation.gradients() if part is not None]
        return [correlation, correlation.for_weights, *back]

    def parameters(self, input: Spec) -> dict[str, Parameter]:
        """weight, then bias."""
        channels = input.shape[-self.dims - 1] // self.groups
        shape = (self.out_channels, channels, *each(self.kernel_size, self.dims))
        init = fan_in_uniform(shape)
        weight = {"weight": Parameter(shape, init)}
        return weight | {"bias": Parameter(shape[:1], init)} if self.bias else weight

    def flops(self, input: Spec) -> int:
        """A multiply-add for each output and weight that leads to it, an addition for each bias."""
        taps = math.prod(self.parameters(input)["weight"].shape[1:])
        return self.infer(input).size * (2 * taps + self.bias)

    def product(self, input: Spec) -> int:
        """That of the first part, forward or for the gradient of the input."""
        return max(part.product for part in self._correlations(input, training=True))

    def scratch(self, input: Spec, *, training: bool) -> dict[str, Scratch]:
        """Work space of the kernel, and the input with its border."""
        correlation = self._correlation(input.shape)
        names = {"work": Scratch((max(part.work for part in self._correlations(input, training=training)),))}
        if self._border is not None:
            padded = Scratch((*input.shape[: -self.dims], *(axis.size for axis in correlation.axes)))
            names |= {"padded": padded} | ({"grad_padded": padded} if training else {})
        return names

    def bind(self, site: Site) -> Step:
        """Pad and correlate; backward one product for each gradient."""
        correlation = self._correlation(site.input.shape)
        work, border, pads = site.scratch["work"], self._border, self._pads
        by_group = (self.groups, correlation.outputs, correlation.channels, *each(self.kernel_size, self.dims))
        weight = site.params["weight"].reshape(by_group)
        y = self._batched(site.output)
        x = self._batched(site.input if border is None else site.scratch["padded"])
        padding = [] if border is None else [pad(site.input, site.scratch["padded"], pads, border)]
        forward = [*padding, correlate(correlation, x, weight, y, work, bias=site.params.get("bias"))]
        if site.grad_output is None:
            return Step(in_order(forward))

        grad_y = self._batched(site.grad_output)
        grad_x, grad_weight, grad_bias = site.grad_input, site.grads["weight"], site.grads.get("bias")
        backward: list[Action] = []
        if grad_weight is not None:
            backward += padding
            backward += [weight_gradient(correlation, x, grad_y, grad_weight.reshape(by_group), work)]
        if grad_bias is not None:
            backward += [_sum_of_each_channel(grad_y, grad_bias)]
        if grad_x is not None:
            target = grad_x if border is None else site.scratch["grad_padded"]
            backward += [input_gradient(correlation, grad_y, weight, self._batched(target), work)]
            backward += [] if border is None else [fold(target, grad_x, pads, border)]
        return Step(in_order(forward), in_order(backward))

    def _batched(self, array: Array) -> Array:
        """With a batch of one where there is none."""
        return array if array.ndim == self.dims + 2 else array[None]


def _sum_of_each_channel(grad_y: Array, grad_bias: Array) -> Action:
    others = (0, *range(2, grad_y.ndim))

    def backward() -> None:
        np.add.reduce(grad_y, axis=others, out=grad_bias)

    return backward
