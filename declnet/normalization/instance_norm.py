"""InstanceNorm1d, InstanceNorm2d, InstanceNorm3d: each channel of each sample on its own."""

from __future__ import annotations

import math
from abc import ABC
from typing import ClassVar, Literal, final

from declnet.core.registry import modules
from declnet.core.spec import Array, Spec
from declnet.errors import ShapeError
from declnet.normalization.channel_norm import ChannelNorm
from declnet.normalization.view import View


class InstanceNorm(ChannelNorm, ABC):
    """The statistics of a channel are those of one sample."""

    affine: bool = False
    track_running_stats: bool = False

    def view(self, shape: tuple[int, ...]) -> View:
        """(N, C, places); one sample where there is no batch dimension."""
        samples, *rest = shape if len(shape) == max(self.takes) else (1, *shape)
        return View(samples, rest[0], 1, math.prod(rest[1:]))

    def needs_channels(self, view: View) -> bool:
        """Where it learns something; the channels of all samples are PyTorch's channels here."""
        return view.samples * view.groups == 0 and self.affine

    def check_statistics(self, input: Spec) -> None:
        """As PyTorch does; in evaluation too where there are no running statistics."""
        if self.view(input.shape).places == 1:
            raise ShapeError(
                f"{type(self).__name__} needs more than 1 number in each channel of a sample, which it normalises, "
                f"but its input is {input}",
                argument=0,
            )

    def share(self, batches: Array) -> float:
        """momentum. PyTorch never counts the batches here, and takes a momentum of null for 0."""
        return self.momentum or 0.0


@modules.register
@final
class InstanceNorm1d(InstanceNorm):
    """Normalises each channel of each sample: output = (input - mean) / sqrt(var + eps) * weight + bias.

    mean and var (the biased one) are those of the channel's own numbers, in training and in evaluation. With
    track_running_stats, training also keeps running averages over samples of mean and of the unbiased variance,
    running = (1 - momentum) * running + momentum * new, and evaluation uses these. weight starts as ones, bias
    as zeros.

    Shape:
        input: (N, C, L) or, without a batch, (C, L). output: the same.

    Parameters:
        num_features: the number of channels C; inferred when left out, checked when given.
        eps: added to the variance.
        momentum: how much a new batch counts in the running averages; null leaves them as they start.
        affine: whether to learn weight and bias.
        track_running_stats: whether to keep running averages.
        bias: whether to learn the bias too.
        weight (learned): (C,).
        bias (learned): (C,).
        running_mean, running_var, num_batches_tracked (kept): (C,), (C,), (); the last stays 0, as in PyTorch.

    Raises:
        ShapeError: the input is not floating point or not of these shapes, C is not num_features, or a channel
            has but one value where its own statistics are used, or there is none where it is affine.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.InstanceNorm1d.html;
        Ulyanov et al., "Instance Normalization: The Missing Ingredient for Fast Stylization", 2016.
    """

    pytorch = "torch.nn.InstanceNorm1d"
    takes: ClassVar[dict[int, str]] = {3: "(N, C, L)", 2: "(C, L)"}

    type: Literal["InstanceNorm1d"] = "InstanceNorm1d"


@modules.register
@final
class InstanceNorm2d(InstanceNorm):
    """Normalises each channel of each sample: output = (input - mean) / sqrt(var + eps) * weight + bias.

    mean and var (the biased one) are those of the channel's own numbers, in training and in evaluation. With
    track_running_stats, training also keeps running averages over samples of mean and of the unbiased variance,
    running = (1 - momentum) * running + momentum * new, and evaluation uses these. weight starts as ones, bias
    as zeros.

    Shape:
        input: (N, C, H, W) or, without a batch, (C, H, W). output: the same.

    Parameters:
        num_features: the number of channels C; inferred when left out, checked when given.
        eps: added to the variance.
        momentum: how much a new batch counts in the running averages; null leaves them as they start.
        affine: whether to learn weight and bias.
        track_running_stats: whether to keep running averages.
        bias: whether to learn the bias too.
        weight (learned): (C,).
        bias (learned): (C,).
        running_mean, running_var, num_batches_tracked (kept): (C,), (C,), (); the last stays 0, as in PyTorch.

    Raises:
        ShapeError: the input is not floating point or not of these shapes, C is not num_features, or a channel
            has but one value where its own statistics are used, or there is none where it is affine.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.InstanceNorm2d.html;
        Ulyanov et al., "Instance Normalization: The Missing Ingredient for Fast Stylization", 2016.
    """

    pytorch = "torch.nn.InstanceNorm2d"
    takes: ClassVar[dict[int, str]] = {4: "(N, C, H, W)", 3: "(C, H, W)"}

    type: Literal["InstanceNorm2d"] = "InstanceNorm2d"


@modules.register
@final
class InstanceNorm3d(InstanceNorm):
    """Normalises each channel of each sample: output = (input - mean) / sqrt(var + eps) * weight + bias.

    mean and var (the biased one) are those of the channel's own numbers, in training and in evaluation. With
    track_running_stats, training also keeps running averages over samples of mean and of the unbiased variance,
    running = (1 - momentum) * running + momentum * new, and evaluation uses these. weight starts as ones, bias
    as zeros.

    Shape:
        input: (N, C, D, H, W) or, without a batch, (C, D, H, W). output: the same.

    Parameters:
        num_features: the number of channels C; inferred when left out, checked when given.
        eps: added to the variance.
        momentum: how much a new batch counts in the running averages; null leaves them as they start.
        affine: whether to learn weight and bias.
        track_running_stats: whether to keep running averages.
        bias: whether to learn the bias too.
        weight (learned): (C,).
        bias (learned): (C,).
        running_mean, running_var, num_batches_tracked (kept): (C,), (C,), (); the last stays 0, as in PyTorch.

    Raises:
        ShapeError: the input is not floating point or not of these shapes, C is not num_features, or a channel
            has but one value where its own statistics are used, or there is none where it is affine.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.InstanceNorm3d.html;
        Ulyanov et al., "Instance Normalization: The Missing Ingredient for Fast Stylization", 2016.
    """

    pytorch = "torch.nn.InstanceNorm3d"
    takes: ClassVar[dict[int, str]] = {5: "(N, C, D, H, W)", 4: "(C, D, H, W)"}

    type: Literal["InstanceNorm3d"] = "InstanceNorm3d"
