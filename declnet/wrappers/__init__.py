"""Wrappers: components made of components."""

from __future__ import annotations

COMPONENTS: dict[str, tuple[str, ...]] = {
    "sequential": ("Sequential",),
    "module_list": ("ModuleList", "ModuleDict"),
    "parameter_list": ("ParameterList", "ParameterDict"),
}
"""The components of this family, by the file that holds them."""
