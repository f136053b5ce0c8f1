"""Dropout: noise in training, nothing in evaluation."""

from __future__ import annotations

COMPONENTS: dict[str, tuple[str, ...]] = {
    "dropout": ("Dropout", "Dropout1d", "Dropout2d", "Dropout3d"),
    "alpha_dropout": ("AlphaDropout",),
}
"""The components of this family, by the file that holds them."""
