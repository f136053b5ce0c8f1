"""Optimizers: how parameters change."""

from __future__ import annotations

COMPONENTS: dict[str, tuple[str, ...]] = {
    "adam": ("Adam", "AdamW"),
    "sgd": ("SGD",),
}
"""The components of this family, by the file that holds them."""
