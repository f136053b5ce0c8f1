"""Losses: what is minimised."""

from __future__ import annotations

COMPONENTS: dict[str, tuple[str, ...]] = {
    "cross_entropy": ("CrossEntropyLoss",),
    "mse": ("MSELoss",),
}
"""The components of this family, by the file that holds them."""
