"""Activations: element-wise and along one dimension."""

from __future__ import annotations

COMPONENTS: dict[str, tuple[str, ...]] = {
    "relu": ("ReLU",),
    "leaky_relu": ("LeakyReLU",),
    "elu": ("ELU",),
    "gelu": ("GELU",),
    "sigmoid": ("Sigmoid", "SiLU"),
    "tanh": ("Tanh",),
    "softplus": ("Softplus",),
    "softmax": ("Softmax", "LogSoftmax"),
}
"""The components of this family, by the file that holds them."""
