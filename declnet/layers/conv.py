"""Conv1d, Conv2d, Conv3d: their arguments and what they mean."""

from __future__ import annotations

from typing import ClassVar, Literal, final

from declnet.core.registry import modules
from declnet.layers.convolution import Convolution, Named
from declnet.layers.sizes import Size1, Size2, Size3, Step2, Step3


@modules.register
@final
class Conv1d(Convolution):
    """Convolution over one dimension: output = bias + sum over channels of weight ⋆ input, ⋆ a correlation.

    output[n, o, p] = bias[o] + sum over c, t of weight[o, c, t] * input[n, c, p * stride + t * dilation - padding].
    weight and bias start from U(-k, k) with k = 1 / sqrt(in_channels / groups * kernel_size).

    Shape:
        input: (N, in_channels, L), or (in_channels, L).
        output: (N, out_channels, M), or (out_channels, M), with
            M = floor((L + 2 * padding - dilation * (kernel_size - 1) - 1) / stride) + 1.

    Parameters:
        in_channels: channels of the input; inferred when left out, checked when given.
        out_channels: channels of the output.
        kernel_size: how many positions a kernel covers.
        stride: distance between the kernel's places.
        padding: positions added on both sides; or valid: none; or same: as many as keep the size, an odd one behind
            (stride 1 only).
        dilation: distance between the positions that a kernel covers.
        groups: parts of the channels that are convolved each on its own; divides in_channels and out_channels.
        bias: whether to add a learnable bias.
        padding_mode: what the padding holds. zeros; reflect: the input mirrored at its first and last position;
            replicate: these positions again; circular: the other end. In these three a padding below 0 takes
            positions away.
        weight (learned): (out_channels, in_channels / groups, kernel_size).
        bias (learned): (out_channels,).

    Raises:
        ConfigError: groups does not divide the channels, padding is same with another stride than 1, or it is
            negative and padding_mode zeros.
        ShapeError: the input is not floating point or has other dimensions, its channels are not in_channels or
            not divided by groups, the kernel is larger than the padded input, or the input is too small to be
            mirrored (padding must be less than L) or wrapped around (at most L).

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Conv1d.html
    """

    pytorch = "torch.nn.Conv1d"
    dims: ClassVar[int] = 1

    type: Literal["Conv1d"] = "Conv1d"
    kernel_size: Size1
    stride: Size1 = 1
    padding: int | tuple[int] | Named = 0
    dilation: Size1 = 1


@modules.register
@final
class Conv2d(Convolution):
    """Convolution over two dimensions: output = bias + sum over channels of weight ⋆ input, ⋆ a correlation.

    output[n, o, p, q] = bias[o] + sum over c, t, u of weight[o, c, t, u] * input[n, c, p * stride + t * dilation -
    padding, q * stride + u * dilation - padding]; stride, dilation and padding may differ in the two dimensions.
    weight and bias start from U(-k, k) with k = 1 / sqrt(in_channels / groups * product of kernel_size).

    Shape:
        input: (N, in_channels, H, W), or (in_channels, H, W).
        output: (N, out_channels, P, Q), or (out_channels, P, Q), with
            P = floor((H + 2 * padding - dilation * (kernel_size - 1) - 1) / stride) + 1, and Q likewise.

    Parameters:
        in_channels: channels of the input; inferred when left out, checked when given.
        out_channels: channels of the output.
        kernel_size: how many positions a kernel covers: one number, or [height, width].
        stride: distance between the kernel's places: one number, or [down, across].
        padding: positions added on both sides: one number, or [above and below, left and right]; or valid: none;
            or same: as many as keep the size, an odd one below or right (stride 1 only).
        dilation: distance between the positions that a kernel covers: one number, or [down, across].
        groups: parts of the channels that are convolved each on its own; divides in_channels and out_channels.
            As many as in_channels: a depthwise convolution.
        bias: whether to add a learnable bias.
        padding_mode: what the padding holds. zeros; reflect: the input mirrored at its first and last position;
            replicate: these positions again; circular: the other end. In these three a padding below 0 takes
            positions away.
        weight (learned): (out_channels, in_channels / groups, *kernel_size).
        bias (learned): (out_channels,).

    Raises:
        ConfigError: groups does not divide the channels, padding is same with another stride than 1, or it is
            negative and padding_mode zeros.
        ShapeError: the input is not floating point or has other dimensions, its channels are not in_channels or
            not divided by groups, the kernel is larger than the padded input, or the input is too small to be
            mirrored (padding must be less than its size) or wrapped around (at most its size).

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Conv2d.html;
        LeCun et al., "Gradient-based learning applied to document recognition", 1998.
    """

    pytorch = "torch.nn.Conv2d"
    dims: ClassVar[int] = 2

    type: Literal["Conv2d"] = "Conv2d"
    kernel_size: Size2
    stride: Step2 = 1
    padding: int | tuple[int] | tuple[int, int] | Named = 0
    dilation: Step2 = 1


@modules.register
@final
class Conv3d(Convolution):
    """Convolution over three dimensions: output = bias + sum over channels of weight ⋆ input, ⋆ a correlation.

    As Conv2d, with one dimension more: depth, height, width.
    weight and bias start from U(-k, k) with k = 1 / sqrt(in_channels / groups * product of kernel_size).

    Shape:
        input: (N, in_channels, D, H, W), or (in_channels, D, H, W).
        output: (N, out_channels, P, Q, R), or (out_channels, P, Q, R), with
            P = floor((D + 2 * padding - dilation * (kernel_size - 1) - 1) / stride) + 1, Q and R likewise.

    Parameters:
        in_channels: channels of the input; inferred when left out, checked when given.
        out_channels: channels of the output.
        kernel_size: how many positions a kernel covers: one number, or [depth, height, width].
        stride: distance between the kernel's places: one number, or one for each dimension.
        padding: positions added on both sides: one number, or one for each dimension; or valid: none; or same: as
            many as keep the size, an odd one behind (stride 1 only).
        dilation: distance between the positions that a kernel covers: one number, or one for each dimension.
        groups: parts of the channels that are convolved each on its own; divides in_channels and out_channels.
        bias: whether to add a learnable bias.
        padding_mode: what the padding holds. zeros; reflect: the input mirrored at its first and last position;
            replicate: these positions again; circular: the other end. In these three a padding below 0 takes
            positions away.
        weight (learned): (out_channels, in_channels / groups, *kernel_size).
        bias (learned): (out_channels,).

    Raises:
        ConfigError: groups does not divide the channels, padding is same with another stride than 1, or it is
            negative and padding_mode zeros.
        ShapeError: the input is not floating point or has other dimensions, its channels are not in_channels or
            not divided by groups, the kernel is larger than the padded input, or the input is too small to be
            mirrored (padding must be less than its size) or wrapped around (at most its size).

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Conv3d.html
    """

    pytorch = "torch.nn.Conv3d"
    dims: ClassVar[int] = 3

    type: Literal["Conv3d"] = "Conv3d"
    kernel_size: Size3
    stride: Step3 = 1
    padding: int | tuple[int] | tuple[int, int, int] | Named = 0
    dilation: Step3 = 1
