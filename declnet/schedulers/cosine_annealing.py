"""CosineAnnealingLR: down along half a cosine, and up again where there is time for it."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, Self, final

from pydantic import PositiveInt

from declnet.core.optimizer import NonNegative
from declnet.core.registry import schedulers
from declnet.core.scheduler import REFUSED, Curve


@schedulers.register
@final
class CosineAnnealingLR(Curve):
    """Go to eta_min along a cosine: eta_min + (lr - eta_min) * (1 + cos(pi * t / T_max)) / 2.

    After T_max periods the rate goes up again, as far as it came from, and so on.

    Shape:
        t: periods done, epochs unless the config says `interval: step`. lr: each group's own.

    Parameters:
        T_max: periods from the highest rate to the lowest; left out, all that the loop has after the warm-up.
        eta_min: the lowest rate.

    Raises:
        ConfigError: an argument is out of range.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.optim.lr_scheduler.CosineAnnealingLR.html;
        Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2016.
    """

    pytorch = "torch.optim.lr_scheduler.CosineAnnealingLR"
    refused: ClassVar[dict[str, str]] = REFUSED

    type: Literal["CosineAnnealingLR"] = "CosineAnnealingLR"
    T_max: PositiveInt | None = None
    eta_min: NonNegative = 0.0

    def complete(self, periods: int) -> Self:
        """Once down, where the config does not say how fast."""
        return self if self.T_max is not None else self.model_copy(update={"T_max": periods})

    def rate(self, lr: float, period: int) -> float:
        """The cosine's height."""
        if self.T_max is None:
            raise AssertionError("a scheduler is completed before it runs")
        return self.eta_min + (lr - self.eta_min) * (1 + math.cos(math.pi * period / self.T_max)) / 2
