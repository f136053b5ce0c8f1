"""Metrics: figures of a whole split."""

from __future__ import annotations

COMPONENTS: dict[str, tuple[str, ...]] = {
    "accuracy": ("accuracy",),
}
"""The components of this family, by the file that holds them."""
