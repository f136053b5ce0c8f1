"""Layers: components with weights."""

from __future__ import annotations

COMPONENTS: dict[str, tuple[str, ...]] = {
    "linear": ("Linear",),
}
"""The components of this family, by the file that holds them."""
