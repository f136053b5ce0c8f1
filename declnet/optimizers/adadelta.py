"""Adadelta."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self, final

import numpy as np
from pydantic import Field

from declnet.core.optimizer import BACKEND, Closure, Group, NonNegative, Optimizer, State, Update
from declnet.core.registry import optimizers
from declnet.optimizers.passes import Prologue, RunningSquare, constants


@optimizers.register
@final
class Adadelta(Optimizer):
    """Adadelta: the step's size follows from the steps before, so it needs no learning rate.

    v = rho * v + (1 - rho) * grad²; delta = sqrt(u + eps) / sqrt(v + eps) * grad;
    u = rho * u + (1 - rho) * delta²; param -= lr * delta.

    Shape:
        Any; state: square_avg (v), acc_delta (u), each the parameters' size.

    Parameters:
        lr: scales the step; a pure number, 1 in the paper.
        rho: decay of the two running means, in [0, 1].
        eps: added under both roots, to a square of gradients and to one of steps; it sets the first step.
        weight_decay: L2 penalty, added to the gradient as weight_decay * param.
        maximize: climb instead of descend.

    Raises:
        ConfigError: an argument is out of range.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.optim.Adadelta.html;
        Zeiler, "ADADELTA: An Adaptive Learning Rate Method", 2012.
    """

    pytorch = "torch.optim.Adadelta"
    refused: ClassVar[dict[str, str]] = {
        name: BACKEND[name] for name in ("foreach", "capturable", "differentiable")
    }

    type: Literal["Adadelta"] = "Adadelta"
    lr: NonNegative = 1.0
    rho: Annotated[float, Field(ge=0, le=1)] = 0.9
    eps: NonNegative = 1e-6
    weight_decay: NonNegative = 0.0
    maximize: bool = False

    def state(self, size: int) -> dict[str, State]:
        """The mean squares of gradients and of steps."""
        return {name: State((size,)) for name in ("square_avg", "acc_delta")}

    def work(self, size: int) -> int:
        """Two vectors of a block, one of them for the step."""
        return 2 * super().work(size)

    def bind(self, group: Group, closure: Closure) -> Update[Self]:
        """Sixteen passes over each block."""
        blocks, dtype = list(group.blocks("square_avg", "acc_delta", work=2)), group.param.dtype

        def update(settings: Self, _step: int) -> None:
            prologue = Prologue(dtype, settings)
            square = RunningSquare(dtype, settings.rho)
            rate, eps = constants(dtype, -settings.lr, settings.eps)
            for param, grad, square_avg, acc_delta, work, delta in blocks:
                prologue(param, grad, work)
                square(square_avg, grad, work)
                np.add(square_avg, eps, out=work)
                np.sqrt(work, out=work)
                np.add(acc_delta, eps, out=delta)
                np.sqrt(delta, out=delta)
                np.divide(delta, work, out=delta)
                np.multiply(delta, grad, out=delta)
                square(acc_delta, delta, work)
                np.multiply(delta, rate, out=delta)
                np.add(param, delta, out=param)

        return update
