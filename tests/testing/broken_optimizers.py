"""An optimizer that keeps the contract, and some that break it, each in one way."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np

from declnet.core.optimizer import Closure, Group, NonNegative, Optimizer, State, Update


class Descent(Optimizer):
    """Steps by the gradient: param -= lr * grad.

    Shape:
        Any; state: mean, the parameters' size.

    Parameters:
        lr: learning rate.

    Reference: none.
    """

    type: Literal["Descent"] = "Descent"
    lr: NonNegative = 0.1

    def state(self, size: int) -> dict[str, State]:
        return {"mean": State((size,))}

    def bind(self, group: Group, closure: Closure) -> Update[Self]:
        mean = self.mean(group)

        def update(settings: Self, step: int) -> None:
            np.multiply(mean, 0.5, out=mean)
            np.add(mean, group.grad, out=mean)
            np.subtract(group.param, self.rate(settings) * mean, out=group.param)

        return update

    def mean(self, group: Group) -> Any:
        return group.state["mean"]

    def rate(self, settings: Self) -> float:
        return settings.lr


class Climbs(Descent):
    type: Literal["Climbs"] = "Climbs"

    def rate(self, settings: Self) -> float:
        return -settings.lr


class Explodes(Descent):
    type: Literal["Explodes"] = "Explodes"

    def rate(self, settings: Self) -> float:
        return 1e30


class Unsteady(Descent):
    type: Literal["Unsteady"] = "Unsteady"

    def rate(self, settings: Self) -> float:
        return float(np.random.default_rng().uniform(0.05, 0.1))


class Forgets(Descent):
    type: Literal["Forgets"] = "Forgets"

    def mean(self, group: Group) -> Any:
        return np.zeros_like(group.param)


class Fails(Descent):
    type: Literal["Fails"] = "Fails"

    def mean(self, group: Group) -> Any:
        return group.state["exp_avg"]
