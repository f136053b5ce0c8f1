"""Initializers: the first values of parameters, where a config asks for others than PyTorch's defaults."""

from __future__ import annotations

COMPONENTS: dict[str, tuple[str, ...]] = {
    "uniform": ("uniform",),
    "normal": ("normal",),
    "trunc_normal": ("trunc_normal",),
    "constant": ("constant", "ones", "zeros"),
    "eye": ("eye", "dirac"),
    "xavier": ("xavier_uniform", "xavier_normal"),
    "kaiming": ("kaiming_uniform", "kaiming_normal"),
    "orthogonal": ("orthogonal",),
    "sparse": ("sparse",),
}
"""The components of this family, by the file that holds them."""
