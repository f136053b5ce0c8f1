"""Operations without parameters: what a graph needs between its layers."""

from __future__ import annotations

COMPONENTS: dict[str, tuple[str, ...]] = {
    "flatten": ("Flatten",),
    "reshape": ("Identity", "Unflatten", "Reshape"),
    "permute": ("Permute",),
    "arithmetic": ("Add", "Sub", "Mul"),
    "matmul": ("MatMul",),
    "concat": ("Concat",),
    "mean": ("Mean",),
    "normalize": ("Normalize",),
    "pad": ("ZeroPad1d", "ZeroPad2d"),
}
"""The components of this family, by the file that holds them."""
