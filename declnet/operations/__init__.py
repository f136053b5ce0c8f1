"""Operations without parameters: what a graph needs between its layers."""

from __future__ import annotations

COMPONENTS: dict[str, tuple[str, ...]] = {
    "flatten": ("Flatten",),
}
"""The components of this family, by the file that holds them."""
