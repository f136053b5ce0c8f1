"""The metric contract: a figure of a whole split, never an average of batches' figures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from declnet.core.component import Component
from declnet.core.spec import Array, Spec


class Meter(ABC):
    """Counts over one pass through a split."""

    @abstractmethod
    def update(self, output: Array, target: Array) -> None:
        """Take one batch. The arrays are only lent: copy what is to be kept."""

    @abstractmethod
    def result(self) -> float:
        """The metric of all that was taken."""


class Metric(Component, ABC):
    """A figure computed from the model's output and the target."""

    higher_is_better: ClassVar[bool | None] = None
    """Which of two results is the better one, so that it can choose the best epoch; None: neither."""

    @abstractmethod
    def check(self, output: Spec, target: Spec) -> None:
        """Raise a `ShapeError` where the metric has no meaning for these."""

    @abstractmethod
    def meter(self) -> Meter:
        """A new count for one pass."""
