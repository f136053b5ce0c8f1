"""Dropout: noise in training, nothing in evaluation."""

from __future__ import annotations

COMPONENTS: dict[str, tuple[str, ...]] = {
    "dropout": ("Dropout",),
}
"""The components of this family, by the file that holds them."""
