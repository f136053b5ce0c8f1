"""Pooling: the largest or the mean of each window."""

from __future__ import annotations

COMPONENTS: dict[str, tuple[str, ...]] = {
    "max_pool": ("MaxPool1d", "MaxPool2d"),
    "avg_pool": ("AvgPool1d", "AvgPool2d"),
    "adaptive_avg_pool": ("AdaptiveAvgPool1d", "AdaptiveAvgPool2d"),
}
"""The components of this family, by the file that holds them."""
