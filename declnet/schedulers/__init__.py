"""Schedulers: how the learning rate changes in the course of a run."""

from __future__ import annotations

COMPONENTS: dict[str, tuple[str, ...]] = {
    "step": ("StepLR",),
    "multi_step": ("MultiStepLR",),
    "exponential": ("ExponentialLR",),
    "linear": ("LinearLR",),
    "polynomial": ("PolynomialLR",),
    "cosine_annealing": ("CosineAnnealingLR",),
    "warm_restarts": ("CosineAnnealingWarmRestarts",),
    "one_cycle": ("OneCycleLR",),
    "plateau": ("ReduceLROnPlateau",),
}
"""The components of this family, by the file that holds them."""
