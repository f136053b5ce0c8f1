"""Adadelta."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, final

import numpy as np
from pydantic import Field

from declnet.core.optimizer import BACKEND, Elementwise, Formula, Group, NonNegative, State
from declnet.core.registry import optimizers
from declnet.core.spec import Array
from declnet.optimizers.passes import Prologue, constants, running_square


@optimizers.register
@final
class Adadelta(Elementwise):
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
    passes: ClassVar[int] = 16
    works: ClassVar[int] = 2

    type: Literal["Adadelta"] = "Adadelta"
    lr: NonNegative = 1.0
    rho: Annotated[float, Field(ge=0, le=1)] = 0.9
    eps: NonNegative = 1e-6
    weight_decay: NonNegative = 0.0
    maximize: bool = False

    def state(self, size: int) -> dict[str, State]:
        """The mean squares of gradients and of steps."""
        return {name: State((size,)) for name in ("square_avg", "acc_delta")}

    def formula(self, group: Group, step: int) -> Formula:
        """Sixteen passes over each block; the gradient is only read."""
        dtype = group.param.dtype
        prologue = Prologue(dtype, self)
        square = running_square(dtype, self.rho)
        rate, eps = constants(dtype, -self.lr, self.eps)

        def change(param: Array, grad: Array, square_avg: Array, acc_delta: Array, *works: Array) -> None:
            work, delta = works
            prologue(param, grad, work)
            square(square_avg, grad, work)
            np.add(square_avg, eps, out=work)
            np.sqrt(work, out=work)
            np.add(acc_delta, eps, out=delta)
            np.sqrt(delta, out=delta)
            np.divide(delta, work, out=delta)  # of two roots: the root of the quotient would underflow
            np.multiply(delta, grad, out=delta)
            square(acc_delta, delta, work)
            np.multiply(delta, rate, out=delta)
            np.add(param, delta, out=param)

        return change
