"""Metrics: figures of a whole split."""

from __future__ import annotations

COMPONENTS: dict[str, tuple[str, ...]] = {
    "accuracy": ("accuracy",),
    "top_k": ("top_k",),
    "precision_recall": ("precision", "recall", "f1"),
    "auroc": ("auroc",),
    "confusion_matrix": ("confusion_matrix",),
    "perplexity": ("perplexity",),
    "differences": ("mae", "rmse"),
    "r2": ("r2",),
}
"""The components of this family, by the file that holds them."""
