"""Initializers: the first values of parameters, where a config asks for others than PyTorch's defaults."""

from __future__ import annotations

COMPONENTS: dict[str, tuple[str, ...]] = {
    "uniform": ("uniform_",),
    "normal": ("normal_",),
    "trunc_normal": ("trunc_normal_",),
    "constant": ("constant_", "ones_", "zeros_"),
    "eye": ("eye_", "dirac_"),
    "xavier": ("xavier_uniform_", "xavier_normal_"),
    "kaiming": ("kaiming_uniform_", "kaiming_normal_"),
    "orthogonal": ("orthogonal_",),
    "sparse": ("sparse_",),
}
"""The components of this family, by the file that holds them."""
