"""CosineAnnealingWarmRestarts: down along half a cosine, again and again."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, final

from pydantic import PositiveInt

from declnet.core.optimizer import NonNegative
from declnet.core.registry import schedulers
from declnet.core.scheduler import REFUSED, Curve


@schedulers.register
@final
class CosineAnnealingWarmRestarts(Curve):
    """Go to eta_min along a cosine, then start anew: eta_min + (lr - eta_min) * (1 + cos(pi * T_cur / T_i)) / 2.

    The first descent takes T_i = T_0 periods, each later one T_mult times those of the one before; T_cur are the
    periods since the last start.

    Shape:
        T_cur, T_i: periods, epochs unless the config says `interval: step`. lr: each group's own.

    Parameters:
        T_0: periods of the first descent.
        T_mult: how many times longer each descent is than the one before.
        eta_min: the lowest rate.

    Raises:
        ConfigError: an argument is out of range.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.optim.lr_scheduler.CosineAnnealingWarmRestarts.html;
        Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2016.
    """

    pytorch = "torch.optim.lr_scheduler.CosineAnnealingWarmRestarts"
    refused: ClassVar[dict[str, str]] = REFUSED

    type: Literal["CosineAnnealingWarmRestarts"] = "CosineAnnealingWarmRestarts"
    T_0: PositiveInt
    T_mult: PositiveInt = 1
    eta_min: NonNegative = 0.0

    def rate(self, lr: float, period: int) -> float:
        """The cosine's height, in the descent that this period is in."""
        since, length = period, self.T_0
        if self.T_mult == 1:
            since %= length
        while since >= length:
            since, length = since - length, length * self.T_mult
        return self.eta_min + (lr - self.eta_min) * (1 + math.cos(math.pi * since / length)) / 2
