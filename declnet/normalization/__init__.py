"""Normalization: mean 0 and variance 1 over a batch, a sample, a group of channels or a channel."""

from __future__ import annotations

COMPONENTS: dict[str, tuple[str, ...]] = {
    "batch_norm": ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d"),
    "layer_norm": ("LayerNorm", "RMSNorm"),
    "group_norm": ("GroupNorm",),
    "instance_norm": ("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"),
}
"""The components of this family, by the file that holds them."""
