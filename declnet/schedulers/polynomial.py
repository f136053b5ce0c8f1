"""PolynomialLR: down to 0 along a power."""

from __future__ import annotations

from typing import ClassVar, Literal, final

from pydantic import PositiveInt

from declnet.core.optimizer import NonNegative
from declnet.core.registry import schedulers
from declnet.core.scheduler import REFUSED, Curve


@schedulers.register
@final
class PolynomialLR(Curve):
    """Go down to 0 along a power: lr * (1 - min(t / total_iters, 1))^power.

    Shape:
        t: periods done, epochs unless the config says `interval: step`. lr: each group's own.

    Parameters:
        total_iters: periods until the rate is 0.
        power: 1 is a straight line; above, it is steep at first.

    Raises:
        ConfigError: an argument is out of range.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.optim.lr_scheduler.PolynomialLR.html
    """

    pytorch = "torch.optim.lr_scheduler.PolynomialLR"
    refused: ClassVar[dict[str, str]] = REFUSED

    type: Literal["PolynomialLR"] = "PolynomialLR"
    total_iters: PositiveInt = 5
    power: NonNegative = 1.0

    def rate(self, lr: float, period: int) -> float:
        """The power of what is left."""
        left: float = 1 - min(period, self.total_iters) / self.total_iters
        return lr * float(left**self.power)
