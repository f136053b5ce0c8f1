"""RAdam: Adam that waits until its second moment can be trusted."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, final

import numpy as np

from declnet.core.optimizer import BACKEND, Beta, Elementwise, Formula, Group, NonNegative, State
from declnet.core.registry import optimizers
from declnet.core.spec import Array
from declnet.optimizers.passes import Prologue, constants, running_mean, running_square


@optimizers.register
@final
class RAdam(Elementwise):
    """Rectified Adam: plain momentum at first, then Adam's step, scaled by how sure its second moment is.

    m and v as in Adam, m_hat = m / (1 - beta1^t); rho_inf = 2 / (1 - beta2) - 1 and
    rho = rho_inf - 2 * t * beta2^t / (1 - beta2^t). While rho <= 5: param -= lr * m_hat; from then on:
    param -= lr * r * m_hat * sqrt(1 - beta2^t) / (sqrt(v) + eps), with
    r² = (rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho).
    eps is added to the root before bias is corrected, unlike Adam's.

    Shape:
        Any; state: exp_avg (m), exp_avg_sq (v), each the parameters' size.

    Parameters:
        lr: learning rate, in parameter units a step; while rho <= 5 in parameter units over gradient units.
        betas: decay of the two running means, each in [0, 1); with beta2 <= 2/3 rho never exceeds 5.
        eps: added to the root, in gradient units.
        weight_decay: L2 penalty, added to the gradient as weight_decay * param.
        decoupled_weight_decay: shrink the parameters by lr * weight_decay instead, as AdamW does.
        maximize: climb instead of descend.

    Raises:
        ConfigError: an argument is out of range.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.optim.RAdam.html;
        Liu et al., "On the Variance of the Adaptive Learning Rate and Beyond", 2019.
    """

    pytorch = "torch.optim.RAdam"
    refused: ClassVar[dict[str, str]] = {
        name: BACKEND[name] for name in ("foreach", "capturable", "differentiable")
    }
    passes: ClassVar[int] = 12

    type: Literal["RAdam"] = "RAdam"
    lr: NonNegative = 1e-3
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    decoupled_weight_decay: bool = False
    maximize: bool = False

    def state(self, size: int) -> dict[str, State]:
        """First and second moment."""
        return {name: State((size,)) for name in ("exp_avg", "exp_avg_sq")}

    def _rectification(self, step: int) -> float | None:
        """r * sqrt(1 - beta2^t), None while the second moment is not to be trusted."""
        beta2 = self.betas[1]
        correction = 1 - beta2**step
        longest = 2 / (1 - beta2) - 1
        rho = longest - 2 * step * beta2**step / correction
        if rho <= 5:
            return None
        square = (rho - 4) * (rho - 2) * longest / ((longest - 4) * (longest - 2) * rho)
        return math.sqrt(square * correction)

    def formula(self, group: Group, step: int) -> Formula:
        """Twelve passes over each block, nine at first; the gradient is only read."""
        dtype, (beta1, beta2) = group.param.dtype, self.betas
        prologue = Prologue(dtype, self, decoupled=self.decoupled_weight_decay)
        first, second = running_mean(dtype, 1 - beta1), running_square(dtype, beta2)
        rectification = self._rectification(step)
        scale = 1 if rectification is None else rectification
        rate, eps = constants(dtype, -self.lr * scale / (1 - beta1**step), self.eps)

        def change(param: Array, grad: Array, exp_avg: Array, exp_avg_sq: Array, work: Array) -> None:
            prologue(param, grad, work)
            first(exp_avg, grad, work)
            second(exp_avg_sq, grad, work)
            if rectification is None:
                np.multiply(exp_avg, rate, out=work)
            else:
                np.sqrt(exp_avg_sq, out=work)
                np.add(work, eps, out=work)
                np.divide(exp_avg, work, out=work)
                np.multiply(work, rate, out=work)
            np.add(param, work, out=param)

        return change
