"""MultiStepLR: a factor at chosen periods."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from typing import ClassVar, Literal, Self, final

from pydantic import NonNegativeInt, model_validator

from declnet.core.registry import schedulers
from declnet.core.scheduler import REFUSED, Curve, Positive
from declnet.schedulers.powers import power


@schedulers.register
@final
class MultiStepLR(Curve):
    """Multiply the rate by gamma at each milestone: lr * gamma^(milestones up to t).

    Shape:
        t: periods done, epochs unless the config says `interval: step`. lr: each group's own.

    Parameters:
        milestones: periods after which the rate changes, in order; one that is there twice counts twice.
        gamma: factor of each change, above 0.

    Raises:
        ConfigError: an argument is out of range, or the milestones are not in order.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.optim.lr_scheduler.MultiStepLR.html
    """

    pytorch = "torch.optim.lr_scheduler.MultiStepLR"
    refused: ClassVar[dict[str, str]] = REFUSED

    type: Literal["MultiStepLR"] = "MultiStepLR"
    milestones: tuple[NonNegativeInt, ...]
    gamma: Positive = 0.1

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for one, other in pairwise(self.milestones):
            if one > other:
                raise ValueError(f"milestones must be in order, the lowest first; {other} follows {one}")
        return self

    def rate(self, lr: float, period: int) -> float:
        """One factor for each milestone that is reached."""
        return lr * power(self.gamma, bisect_right(self.milestones, period))
