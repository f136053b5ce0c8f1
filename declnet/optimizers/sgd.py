"""SGD, with momentum and Nesterov's."""

from __future__ import annotations

from typing import ClassVar, Literal, Self, final

import numpy as np
from pydantic import model_validator

from declnet.core.optimizer import BACKEND, Elementwise, Formula, Group, NonNegative, State
from declnet.core.registry import optimizers
from declnet.core.spec import Array
from declnet.optimizers.passes import Prologue, constants


@optimizers.register
@final
class SGD(Elementwise):
    """Gradient descent: param -= lr * grad, with momentum param -= lr * buffer.

    buffer = momentum * buffer + (1 - dampening) * grad, and just grad in the first step. Nesterov's form
    steps by grad + momentum * buffer. The buffer holds gradients, not steps: lr is applied last.

    Shape:
        Any; state: momentum_buffer, the parameters' size, where momentum is not 0.

    Parameters:
        lr: learning rate, in parameter units over gradient units.
        momentum: share of the buffer that is kept.
        dampening: share of the gradient that the buffer does not take.
        weight_decay: L2 penalty, added to the gradient as weight_decay * param.
        nesterov: look ahead; needs momentum, and no dampening.
        maximize: climb instead of descend.

    Raises:
        ConfigError: an argument is out of range, or nesterov without momentum or with dampening.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.optim.SGD.html;
        Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013.
    """

    pytorch = "torch.optim.SGD"
    refused: ClassVar[dict[str, str]] = {n: BACKEND[n] for n in ("foreach", "differentiable", "fused")}
    passes: ClassVar[int] = 2

    type: Literal["SGD"] = "SGD"
    lr: NonNegative = 1e-3
    momentum: NonNegative = 0.0
    dampening: float = 0.0
    weight_decay: NonNegative = 0.0
    nesterov: bool = False
    maximize: bool = False

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Self:
        if self.nesterov and (self.momentum == 0 or self.dampening != 0):
            raise ValueError("nesterov needs a momentum above 0 and a dampening of 0")
        return self

    def state(self, size: int) -> dict[str, State]:
        """The momentum buffer, where there is momentum."""
        return {"momentum_buffer": State((size,))} if self.momentum else {}

    def formula(self, group: Group, step: int) -> Formula:
        """Two passes over each block, four with momentum."""
        dtype = group.param.dtype
        prologue = Prologue(dtype, self)
        rate, keep, take = constants(dtype, -self.lr, self.momentum, 1 - self.dampening)

        def change(param: Array, grad: Array, *rest: Array) -> None:
            *buffer, work = rest
            prologue(param, grad, work)
            direction = grad
            if buffer and self.momentum:
                direction = momentum = buffer[0]
                if step == 1:
                    np.copyto(momentum, grad)  # the first gradient counts in full, whatever the dampening
                else:
                    np.multiply(momentum, keep, out=momentum)
                    taken = grad if self.dampening == 0 else np.multiply(grad, take, out=work)
                    np.add(momentum, taken, out=momentum)
                if self.nesterov:
                    np.multiply(momentum, keep, out=work)
                    direction = np.add(grad, work, out=grad)
            np.multiply(direction, rate, out=work)
            np.add(param, work, out=param)

        return change
