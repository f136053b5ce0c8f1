"""Sources: where rows come from."""

from __future__ import annotations

COMPONENTS: dict[str, tuple[str, ...]] = {
    "csv": ("CSV",),
    "digits": ("Digits",),
    "idx": ("IDX",),
    "image_folder": ("ImageFolder",),
    "npz": ("NPZ", "NPY"),
    "parquet": ("Parquet",),
    "sql": ("SQL",),
    "synthetic": ("Spirals", "Moons", "Regression"),
    "text": ("Text",),
    "tuples": ("Pairs", "Triplets"),
}
"""The components of this family, by the file that holds them."""
