"""BatchNorm1d, BatchNorm2d, BatchNorm3d: each channel over the whole batch."""

from __future__ import annotations

import math
from abc import ABC
from typing import ClassVar, Literal, final

import numpy as np
from pydantic import PositiveFloat

from declnet.core.registry import modules
from declnet.core.spec import Array, Spec
from declnet.errors import ShapeError
from declnet.normalization.channel_norm import ChannelNorm
from declnet.normalization.view import View


class BatchNorm(ChannelNorm, ABC):
    """The statistics of a channel are those of all samples."""

    # PyTorch takes an eps of 0, and refuses it as soon as it trains.
    eps: PositiveFloat = 1e-5

    def view(self, shape: tuple[int, ...]) -> View:
        """(N, C, places)."""
        return View(shape[0], shape[1], 1, math.prod(shape[2:]), across=True)

    def needs_channels(self, view: View) -> bool:
        """Where it learns something."""
        return view.groups == 0 and self.affine

    def check_statistics(self, input: Spec) -> None:
        """As PyTorch does; in evaluation too where there are no running statistics."""
        if self.view(input.shape).count == 1:
            raise ShapeError(
                f"{type(self).__name__} needs more than 1 value per channel, for the statistics of the batch, "
                f"but its input is {input}",
                argument=0,
            )

    def share(self, batches: Array) -> float:
        """momentum, or without one as much as each batch before."""
        np.add(batches, 1, out=batches)
        return 1 / int(batches) if self.momentum is None else self.momentum


@modules.register
@final
class BatchNorm1d(BatchNorm):
    """Normalises each channel over the batch: output = (input - mean) / sqrt(var + eps) * weight + bias.

    In training mean and var (the biased one) are those of the batch, and running averages of mean and of the
    unbiased variance are kept: running = (1 - momentum) * running + momentum * new. In evaluation these are
    used. weight starts as ones, bias as zeros.

    Shape:
        input: (N, C) or (N, C, L). output: the same.

    Parameters:
        num_features: the number of channels C; inferred when left out, checked when given.
        eps: added to the variance.
        momentum: how much a new batch counts in the running averages; null for plain averages over all batches.
        affine: whether to learn weight and bias.
        track_running_stats: whether to keep running averages; without them evaluation, too, uses the batch's
            own statistics.
        bias: whether to learn the bias too.
        weight (learned): (C,).
        bias (learned): (C,).
        running_mean, running_var, num_batches_tracked (kept): (C,), (C,), ().

    Raises:
        ShapeError: the input is not floating point or not of these shapes, C is not num_features, or a channel
            has but one value where the batch's statistics are used; or C is 0 where it is affine.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.BatchNorm1d.html;
        Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal
        Covariate Shift", 2015.
    """

    pytorch = "torch.nn.BatchNorm1d"
    takes: ClassVar[dict[int, str]] = {2: "(N, C)", 3: "(N, C, L)"}

    type: Literal["BatchNorm1d"] = "BatchNorm1d"


@modules.register
@final
class BatchNorm2d(BatchNorm):
    """Normalises each channel over the batch: output = (input - mean) / sqrt(var + eps) * weight + bias.

    In training mean and var (the biased one) are those of the batch, and running averages of mean and of the
    unbiased variance are kept: running = (1 - momentum) * running + momentum * new. In evaluation these are
    used. weight starts as ones, bias as zeros.

    Shape:
        input: (N, C, H, W). output: the same.

    Parameters:
        num_features: the number of channels C; inferred when left out, checked when given.
        eps: added to the variance.
        momentum: how much a new batch counts in the running averages; null for plain averages over all batches.
        affine: whether to learn weight and bias.
        track_running_stats: whether to keep running averages; without them evaluation, too, uses the batch's
            own statistics.
        bias: whether to learn the bias too.
        weight (learned): (C,).
        bias (learned): (C,).
        running_mean, running_var, num_batches_tracked (kept): (C,), (C,), ().

    Raises:
        ShapeError: the input is not floating point or not of this shape, C is not num_features, or a channel
            has but one value where the batch's statistics are used; or C is 0 where it is affine.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.BatchNorm2d.html;
        Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal
        Covariate Shift", 2015.
    """

    pytorch = "torch.nn.BatchNorm2d"
    takes: ClassVar[dict[int, str]] = {4: "(N, C, H, W)"}

    type: Literal["BatchNorm2d"] = "BatchNorm2d"


@modules.register
@final
class BatchNorm3d(BatchNorm):
    """Normalises each channel over the batch: output = (input - mean) / sqrt(var + eps) * weight + bias.

    In training mean and var (the biased one) are those of the batch, and running averages of mean and of the
    unbiased variance are kept: running = (1 - momentum) * running + momentum * new. In evaluation these are
    used. weight starts as ones, bias as zeros.

    Shape:
        input: (N, C, D, H, W). output: the same.

    Parameters:
        num_features: the number of channels C; inferred when left out, checked when given.
        eps: added to the variance.
        momentum: how much a new batch counts in the running averages; null for plain averages over all batches.
        affine: whether to learn weight and bias.
        track_running_stats: whether to keep running averages; without them evaluation, too, uses the batch's
            own statistics.
        bias: whether to learn the bias too.
        weight (learned): (C,).
        bias (learned): (C,).
        running_mean, running_var, num_batches_tracked (kept): (C,), (C,), ().

    Raises:
        ShapeError: the input is not floating point or not of this shape, C is not num_features, or a channel
            has but one value where the batch's statistics are used; or C is 0 where it is affine.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.BatchNorm3d.html;
        Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal
        Covariate Shift", 2015.
    """

    pytorch = "torch.nn.BatchNorm3d"
    takes: ClassVar[dict[int, str]] = {5: "(N, C, D, H, W)"}

    type: Literal["BatchNorm3d"] = "BatchNorm3d"
