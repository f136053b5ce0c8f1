"""Transforms: from the cells of a data field to the array that the model reads."""

from __future__ import annotations

COMPONENTS: dict[str, tuple[str, ...]] = {
    "standardize": ("Standardize",),
    "minmax": ("MinMax",),
    "scale": ("Scale",),
    "log1p": ("Log1p",),
    "impute": ("Impute",),
    "one_hot": ("OneHot",),
    "category": ("Category",),
    "class_labels": ("ClassLabels",),
    "shapes": ("Flatten", "Reshape"),
    "cast": ("Cast",),
    "random_crop": ("RandomCrop",),
    "random_flip": ("RandomFlip",),
}
"""The components of this family, by the file that holds them."""
