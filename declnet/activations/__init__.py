"""Activations: element-wise and along one dimension."""

from __future__ import annotations

COMPONENTS: dict[str, tuple[str, ...]] = {
    "relu": ("ReLU",),
    "softmax": ("LogSoftmax",),
}
"""The components of this family, by the file that holds them."""
