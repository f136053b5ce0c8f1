"""The kernel that BatchNorm, LayerNorm, GroupNorm, InstanceNorm and RMSNorm share; it works in blocks."""

from __future__ import annotations

from declnet.core.component import Site, Step
from declnet.normalization import across, each
from declnet.normalization.view import View


def bind(site: Site, view: View, eps: float) -> Step:
    """The step. Forward leaves the mean and the biased variance in the scratch."""
    return across.bind(site, view, eps) if view.across else each.bind(site, view, eps)
