"""Losses: what is minimised."""

from __future__ import annotations

COMPONENTS: dict[str, tuple[str, ...]] = {
    "cross_entropy": ("CrossEntropyLoss",),
    "nll": ("NLLLoss",),
    "kl_div": ("KLDivLoss",),
    "bce": ("BCELoss",),
    "bce_with_logits": ("BCEWithLogitsLoss",),
    "mse": ("MSELoss",),
    "l1": ("L1Loss",),
    "smooth_l1": ("SmoothL1Loss",),
    "huber": ("HuberLoss",),
    "margin_ranking": ("MarginRankingLoss",),
    "triplet_margin": ("TripletMarginLoss",),
}
"""The components of this family, by the file that holds them."""
