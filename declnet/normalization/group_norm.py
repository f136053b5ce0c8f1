"""GroupNorm: over groups of channels."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, Self, final

import numpy as np
from pydantic import NonNegativeInt, PositiveInt, model_validator

from declnet.core.component import Alias, Module, Parameter, Scratch, Site, Step
from declnet.core.registry import modules
from declnet.core.spec import Spec
from declnet.errors import ShapeError
from declnet.normalization.kernel import bind
from declnet.normalization.view import View, weight_and_bias


@modules.register
@final
class GroupNorm(Module):
    """Normalises groups of channels: output = (input - mean) / sqrt(var + eps) * weight + bias.

    mean and var (the biased one) are those of each group in each sample, in training and in evaluation. weight
    starts as ones, bias as zeros, one for each channel. One group is a LayerNorm over all but the batch, a group
    for each channel an InstanceNorm.

    Shape:
        input: (N, num_channels, *), any number of further dimensions, also none. output: the same.

    Parameters:
        num_groups: into how many groups of one size the channels are divided, in order.
        num_channels: size of dimension 1; inferred when left out, checked when given.
        eps: added to the variance.
        affine: whether to learn weight and bias.
        bias: whether to learn the bias too.
        weight (learned): (num_channels,).
        bias (learned): (num_channels,).

    Raises:
        ConfigError: num_channels cannot be divided into num_groups.
        ShapeError: the input is not floating point or has no channels, their number is not num_channels or
            cannot be divided into num_groups, or there is but one number in a group and one sample.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.GroupNorm.html;
        Wu and He, "Group Normalization", 2018.
    """

    pytorch = "torch.nn.GroupNorm"
    saves: ClassVar[tuple[str, ...]] = ("input",)

    type: Literal["GroupNorm"] = "GroupNorm"
    num_groups: PositiveInt
    num_channels: NonNegativeInt | None = None
    eps: float = 1e-5
    affine: bool = True
    bias: bool = True

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        if self.num_channels is not None and self.num_channels % self.num_groups:
            raise ValueError(f"num_channels ({self.num_channels}) cannot be divided into {self.num_groups} groups")
        return self

    def infer(self, input: Spec) -> Spec:
        """(N, num_channels, *)."""
        self.require_float(input)
        if input.ndim < 2:
            raise ShapeError(f"GroupNorm takes (N, C, *) but its input is {input}", argument=0)
        channels = input.shape[1]
        if self.num_channels not in (None, channels):
            raise ShapeError(
                f"GroupNorm takes {self.num_channels} channels but its input has {channels}",
                field="num_channels",
                argument=0,
            )
        if channels % self.num_groups:
            raise ShapeError(
                f"the {channels} channels of GroupNorm's input {input} cannot be divided into "
                f"{self.num_groups} groups",
                field="num_groups",
                argument=0,
            )
        return input

    def complete(self, input: Spec) -> Self:
        """Fill in num_channels."""
        return self.model_copy(update={"num_channels": input.shape[1]})

    def parameters(self, input: Spec) -> dict[str, Parameter]:
        """weight, then bias."""
        return weight_and_bias(input.shape[1:2], weight=self.affine, bias=self.bias)

    def alias(self, *, training: bool) -> Alias:
        """Backward reads the input."""
        return "new" if training else "in_place"

    def _view(self, shape: tuple[int, ...]) -> View:
        return View(shape[0], self.num_groups, shape[1] // self.num_groups, math.prod(shape[2:]))

    def scratch(self, input: Spec, *, training: bool) -> dict[str, Scratch]:
        """What the kernel needs; refuses the input that PyTorch refuses, in evaluation too."""
        view = self._view(input.shape)
        if view.samples * view.count == 1:
            raise ShapeError(
                f"GroupNorm needs more than 1 value in a group, or more than 1 sample, but its input is {input}",
                argument=0,
            )
        return view.scratch(training=training)

    def flops(self, input: Spec) -> int:
        """Sum, difference, square, sum, product, addition: six for each element."""
        return 6 * input.size

    def bind(self, site: Site) -> Step:
        """The kernel. Of groups without numbers the weight's gradient is NaN: they have no mean."""
        view = self._view(site.input.shape)
        step, grad = bind(site, view, self.eps), site.grads.get("weight")
        if view.count or not view.samples or grad is None or step.backward is None:
            return step
        rest = step.backward

        def backward() -> None:
            rest()
            grad.fill(np.nan)

        return Step(step.forward, backward)
