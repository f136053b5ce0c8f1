"""StepLR: a factor every so many periods."""

from __future__ import annotations

from typing import ClassVar, Literal, final

from pydantic import PositiveInt

from declnet.core.registry import schedulers
from declnet.core.scheduler import REFUSED, Curve, Positive
from declnet.schedulers.powers import power


@schedulers.register
@final
class StepLR(Curve):
    """Multiply the rate by gamma every step_size periods: lr * gamma^floor(t / step_size).

    Shape:
        t: periods done, epochs unless the config says `interval: step`. lr: each group's own.

    Parameters:
        step_size: periods from one change to the next.
        gamma: factor of each change, above 0.

    Raises:
        ConfigError: an argument is out of range.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.optim.lr_scheduler.StepLR.html
    """

    pytorch = "torch.optim.lr_scheduler.StepLR"
    refused: ClassVar[dict[str, str]] = REFUSED

    type: Literal["StepLR"] = "StepLR"
    step_size: PositiveInt
    gamma: Positive = 0.1

    def rate(self, lr: float, period: int) -> float:
        """One factor for each change so far."""
        return lr * power(self.gamma, period // self.step_size)
