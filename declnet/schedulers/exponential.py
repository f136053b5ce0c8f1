"""ExponentialLR: a factor each period."""

from __future__ import annotations

from typing import ClassVar, Literal, final

from declnet.core.registry import schedulers
from declnet.core.scheduler import REFUSED, Curve, Positive
from declnet.schedulers.powers import power


@schedulers.register
@final
class ExponentialLR(Curve):
    """Multiply the rate by gamma each period: lr * gamma^t.

    Shape:
        t: periods done, epochs unless the config says `interval: step`. lr: each group's own.

    Parameters:
        gamma: factor of each period, above 0.

    Raises:
        ConfigError: an argument is out of range.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.optim.lr_scheduler.ExponentialLR.html
    """

    pytorch = "torch.optim.lr_scheduler.ExponentialLR"
    refused: ClassVar[dict[str, str]] = REFUSED

    type: Literal["ExponentialLR"] = "ExponentialLR"
    gamma: Positive

    def rate(self, lr: float, period: int) -> float:
        """One factor a period."""
        return lr * power(self.gamma, period)
