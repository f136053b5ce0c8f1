"""Layers: components with weights."""

from __future__ import annotations

COMPONENTS: dict[str, tuple[str, ...]] = {
    "linear": ("Linear",),
    "conv": ("Conv1d", "Conv2d", "Conv3d"),
    "embedding": ("Embedding",),
    "bilinear": ("Bilinear",),
}
"""The components of this family, by the file that holds them."""
