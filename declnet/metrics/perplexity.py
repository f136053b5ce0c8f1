"""Perplexity."""

from __future__ import annotations

from typing import ClassVar, Literal, final

import numpy as np

from declnet.core.metric import Meter
from declnet.core.registry import metrics
from declnet.core.spec import Array, Spec
from declnet.metrics.class_scores import ClassMetric, are_logits, share


class _LogLikelihood(Meter):
    """The summed negative log-likelihood of the targets."""

    def __init__(self, metric: Perplexity, *, logits: bool) -> None:
        self.metric, self.logits = metric, logits
        self.total, self.all = 0.0, 0

    def update(self, output: Array, target: Array) -> None:
        """Add a batch, in float64."""
        scores, classes = self.metric.rows(output, target)
        wide = scores.astype(np.float64)
        if self.logits:
            wide -= wide.max(axis=1, keepdims=True)
        own = np.take_along_axis(wide, classes[:, None], axis=1)[:, 0]
        each = np.log(np.exp(wide).sum(axis=1)) - own if self.logits else -np.log(own)
        self.total += float(each.sum())
        self.all += classes.size

    def result(self) -> float:
        """The exponential of the mean."""
        return float(np.exp(share(self.total, self.all)))


@metrics.register
@final
class Perplexity(ClassMetric):
    """Exponential of the mean negative log-likelihood: perplexity = exp(mean(-log p_y)), at least 1.

    p_y is the probability of the target's class: of as many equally likely classes a model that is as sure as
    this one could not tell the right one.

    Shape:
        output: (N, C) or (N, C, d1, ..., dK), the classes in dimension 1. target: class indices, the
        output's shape without C.

    Parameters:
        ignore_index: a target that does not count.
        from_logits: whether outputs are logits or log-probabilities, not probabilities; left out: probabilities
            where Sigmoid or Softmax makes them or BCELoss reads them, else logits.

    Raises:
        ShapeError: outputs and targets don't fit.
        DataError: a target is no class.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.CrossEntropyLoss.html
    """

    binary: ClassVar[bool] = False

    higher_is_better = False

    type: Literal["perplexity"] = "perplexity"
    from_logits: bool | None = None

    def meter(self, output: Spec, target: Spec, *, probabilities: bool) -> Meter:
        """Add log-likelihoods."""
        return _LogLikelihood(self, logits=are_logits(self.from_logits, probabilities))
