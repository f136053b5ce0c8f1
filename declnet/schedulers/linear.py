"""LinearLR: from one share of the rate to another."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, final

from pydantic import Field, PositiveInt

from declnet.core.registry import schedulers
from declnet.core.scheduler import REFUSED, Curve


@schedulers.register
@final
class LinearLR(Curve):
    """Go in a straight line: lr * (start_factor + (end_factor - start_factor) * min(t / total_iters, 1)).

    Shape:
        t: periods done, epochs unless the config says `interval: step`. lr: each group's own.

    Parameters:
        start_factor: share of the rate at first, above 0, at most 1.
        end_factor: share of the rate in the end, 0 to 1.
        total_iters: periods from the one to the other.

    Raises:
        ConfigError: an argument is out of range.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.optim.lr_scheduler.LinearLR.html
    """

    pytorch = "torch.optim.lr_scheduler.LinearLR"
    refused: ClassVar[dict[str, str]] = REFUSED

    type: Literal["LinearLR"] = "LinearLR"
    start_factor: Annotated[float, Field(gt=0, le=1)] = 1 / 3
    end_factor: Annotated[float, Field(ge=0, le=1)] = 1.0
    total_iters: PositiveInt = 5

    def rate(self, lr: float, period: int) -> float:
        """The share of this period."""
        done = min(period, self.total_iters) / self.total_iters
        return lr * (self.start_factor + (self.end_factor - self.start_factor) * done)
