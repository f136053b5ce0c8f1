"""Adamax."""

from __future__ import annotations

from typing import ClassVar, Literal, final

import numpy as np

from declnet.core.optimizer import BACKEND, Beta, Elementwise, Formula, Group, NonNegative, State
from declnet.core.registry import optimizers
from declnet.core.spec import Array
from declnet.optimizers.passes import Prologue, constants, running_mean


@optimizers.register
@final
class Adamax(Elementwise):
    """Adamax: Adam with the decaying maximum of the gradient's size in place of its root mean square.

    m = beta1 * m + (1 - beta1) * grad; u = max(beta2 * u, |grad| + eps); param -= lr / (1 - beta1^t) * m / u.

    Shape:
        Any; state: exp_avg (m), exp_inf (u), each the parameters' size.

    Parameters:
        lr: learning rate, in parameter units a step.
        betas: decay of the running mean and of the maximum, each in [0, 1).
        eps: added to the gradient's size before the maximum, in gradient units.
        weight_decay: L2 penalty, added to the gradient as weight_decay * param.
        maximize: climb instead of descend.

    Raises:
        ConfigError: an argument is out of range.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.optim.Adamax.html;
        Kingma and Ba, "Adam: A Method for Stochastic Optimization", section 7.1, 2014.
    """

    pytorch = "torch.optim.Adamax"
    refused: ClassVar[dict[str, str]] = {
        name: BACKEND[name] for name in ("foreach", "differentiable", "capturable")
    }
    passes: ClassVar[int] = 10

    type: Literal["Adamax"] = "Adamax"
    lr: NonNegative = 2e-3
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    maximize: bool = False

    def state(self, size: int) -> dict[str, State]:
        """The mean and the maximum."""
        return {name: State((size,)) for name in ("exp_avg", "exp_inf")}

    def formula(self, group: Group, step: int) -> Formula:
        """Ten passes over each block; the gradient is only read."""
        dtype, (beta1, beta2) = group.param.dtype, self.betas
        prologue = Prologue(dtype, self)
        mean = running_mean(dtype, 1 - beta1)
        rate, keep, eps = constants(dtype, -self.lr / (1 - beta1**step), beta2, self.eps)

        def change(param: Array, grad: Array, exp_avg: Array, exp_inf: Array, work: Array) -> None:
            prologue(param, grad, work)
            mean(exp_avg, grad, work)
            np.absolute(grad, out=work)
            np.add(work, eps, out=work)
            np.multiply(exp_inf, keep, out=exp_inf)
            np.maximum(exp_inf, work, out=exp_inf)
            np.divide(exp_avg, exp_inf, out=work)
            np.multiply(work, rate, out=work)
            np.add(param, work, out=param)

        return change
