"""RMSprop."""

from __future__ import annotations

from typing import ClassVar, Literal, final

import numpy as np

from declnet.core.optimizer import BACKEND, Elementwise, Formula, Group, NonNegative, State
from declnet.core.registry import optimizers
from declnet.core.spec import Array
from declnet.optimizers.passes import Prologue, constants, running_mean, running_square


@optimizers.register
@final
class RMSprop(Elementwise):
    """RMSprop: steps by the gradient over the root of the running mean of its square.

    v = alpha * v + (1 - alpha) * grad²; param -= lr * grad / (sqrt(v) + eps).
    With momentum: buffer = momentum * buffer + grad / (sqrt(v) + eps); param -= lr * buffer.
    Centered: v - m² stands for v, with m the running mean of the gradient. Where the gradient does not change,
    rounding may make that negative and the parameters NaN, as in PyTorch.

    Shape:
        Any; state: square_avg, with momentum momentum_buffer, centered grad_avg, each the parameters' size.

    Parameters:
        lr: learning rate, in parameter units a step.
        alpha: decay of the running means; above 1 they grow.
        eps: added to the root, in gradient units.
        weight_decay: L2 penalty, added to the gradient as weight_decay * param.
        momentum: share of the buffer that is kept; the buffer holds steps before lr is applied.
        centered: divide by the standard deviation of the gradient instead of the root of its square.
        maximize: climb instead of descend.

    Raises:
        ConfigError: an argument is out of range.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.optim.RMSprop.html;
        Hinton, "Neural Networks for Machine Learning", lecture 6e, 2012;
        centered: Graves, "Generating Sequences With Recurrent Neural Networks", 2013.
    """

    pytorch = "torch.optim.RMSprop"
    refused: ClassVar[dict[str, str]] = {
        name: BACKEND[name] for name in ("capturable", "foreach", "differentiable")
    }
    passes: ClassVar[int] = 9
    works: ClassVar[int] = 2

    type: Literal["RMSprop"] = "RMSprop"
    lr: NonNegative = 1e-2
    alpha: NonNegative = 0.99
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    momentum: NonNegative = 0.0
    centered: bool = False
    maximize: bool = False

    def state(self, size: int) -> dict[str, State]:
        """The mean square; with momentum the buffer, centered the mean."""
        names = {"square_avg": True, "momentum_buffer": self.momentum > 0, "grad_avg": self.centered}
        return {name: State((size,)) for name, wanted in names.items() if wanted}

    def formula(self, group: Group, step: int) -> Formula:
        """Nine passes over each block; two more with momentum, five when centered. The gradient is only read."""
        names, dtype = list(group.state), group.param.dtype
        prologue = Prologue(dtype, self)
        square, mean = running_square(dtype, self.alpha), running_mean(dtype, 1 - self.alpha)
        rate, eps, keep = constants(dtype, -self.lr, self.eps, self.momentum)

        def change(param: Array, grad: Array, *rest: Array) -> None:
            *vectors, work, move = rest
            state = dict(zip(names, vectors, strict=True))
            square_avg, grad_avg = state["square_avg"], state.get("grad_avg")
            prologue(param, grad, work)
            square(square_avg, grad, work)
            if grad_avg is None:
                np.sqrt(square_avg, out=work)
            else:
                mean(grad_avg, grad, work)
                np.multiply(grad_avg, grad_avg, out=work)
                np.subtract(square_avg, work, out=work)
                np.sqrt(work, out=work)
            np.add(work, eps, out=work)
            buffer = state.get("momentum_buffer") if self.momentum else None
            if buffer is None:
                np.multiply(grad, rate, out=move)
                np.divide(move, work, out=work)
            else:
                np.divide(grad, work, out=work)
                np.multiply(buffer, keep, out=buffer)
                np.add(buffer, work, out=buffer)
                np.multiply(buffer, rate, out=work)
            np.add(param, work, out=param)

        return change
