"""Optimizers: how parameters change."""

from __future__ import annotations

COMPONENTS: dict[str, tuple[str, ...]] = {
    "adadelta": ("Adadelta",),
    "adagrad": ("Adagrad",),
    "adam": ("Adam", "AdamW"),
    "adamax": ("Adamax",),
    "lbfgs": ("LBFGS",),
    "nadam": ("NAdam",),
    "radam": ("RAdam",),
    "rmsprop": ("RMSprop",),
    "sgd": ("SGD",),
}
"""The components of this family, by the file that holds them."""
