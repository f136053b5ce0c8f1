"""Adam and AdamW: one formula, weight decay in the gradient or beside it."""

from __future__ import annotations

import math
from abc import ABC
from typing import ClassVar, Literal, final

import numpy as np

from declnet.core.optimizer import BACKEND, Beta, Elementwise, Formula, Group, NonNegative, State
from declnet.core.registry import optimizers
from declnet.core.spec import Array
from declnet.optimizers.passes import Prologue, constants, running_mean, running_square


class _AdamFormula(Elementwise, ABC):
    """The update both share, over whatever settings the subclass declares."""

    lr: NonNegative
    betas: tuple[Beta, Beta]
    eps: NonNegative
    weight_decay: NonNegative
    amsgrad: bool
    maximize: bool

    refused: ClassVar[dict[str, str]] = BACKEND
    passes: ClassVar[int] = 12

    @property
    def _decoupled(self) -> bool:
        return True

    def state(self, size: int) -> dict[str, State]:
        """First and second moment; with amsgrad the largest second moment so far."""
        names = ["exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if self.amsgrad else [])]
        return {name: State((size,)) for name in names}

    def formula(self, group: Group, step: int) -> Formula:
        """Twelve passes over each block; the gradient is only read, so it is not written back to memory."""
        dtype, (beta1, beta2) = group.param.dtype, self.betas
        correction1, correction2 = 1 - beta1**step, math.sqrt(1 - beta2**step)
        prologue = Prologue(dtype, self, decoupled=self._decoupled)
        first, second = running_mean(dtype, 1 - beta1), running_square(dtype, beta2)
        # param -= lr / correction1 * exp_avg / (sqrt(exp_avg_sq) / correction2 + eps), with the fraction
        # widened by correction2, which saves a pass.
        rate, eps = constants(dtype, -self.lr * correction2 / correction1, self.eps * correction2)

        def change(param: Array, grad: Array, exp_avg: Array, exp_avg_sq: Array, *rest: Array) -> None:
            *largest, work = rest
            prologue(param, grad, work)
            first(exp_avg, grad, work)
            second(exp_avg_sq, grad, work)
            if largest:
                np.maximum(largest[0], exp_avg_sq, out=largest[0])
            np.sqrt(largest[0] if largest else exp_avg_sq, out=work)
            np.add(work, eps, out=work)
            np.divide(exp_avg, work, out=work)
            np.multiply(work, rate, out=work)
            np.add(param, work, out=param)

        return change


@optimizers.register
@final
class Adam(_AdamFormula):
    """Adam: steps by the running mean of the gradient over the root of that of its square.

    m = beta1 * m + (1 - beta1) * grad; v = beta2 * v + (1 - beta2) * grad²;
    param -= lr * m_hat / (sqrt(v_hat) + eps), with m_hat = m / (1 - beta1^t) and v_hat = v / (1 - beta2^t).

    Shape:
        Any; state: exp_avg, exp_avg_sq (and max_exp_avg_sq), each the parameters' size.

    Parameters:
        lr: learning rate, in parameter units a step.
        betas: decay of the two running means, each in [0, 1).
        eps: added to the root, in gradient units.
        weight_decay: L2 penalty, added to the gradient as weight_decay * param.
        amsgrad: divide by the largest v_hat so far.
        maximize: climb instead of descend.
        decoupled_weight_decay: shrink the parameters by lr * weight_decay instead; that is AdamW.

    Raises:
        ConfigError: an argument is out of range.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.optim.Adam.html;
        Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2014;
        amsgrad: Reddi et al., "On the Convergence of Adam and Beyond", 2018.
    """

    pytorch = "torch.optim.Adam"

    type: Literal["Adam"] = "Adam"
    lr: NonNegative = 1e-3
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    amsgrad: bool = False
    maximize: bool = False
    decoupled_weight_decay: bool = False

    @property
    def _decoupled(self) -> bool:
        return self.decoupled_weight_decay


@optimizers.register
@final
class AdamW(_AdamFormula):
    """Adam with decoupled weight decay: the parameters shrink by lr * weight_decay, apart from the gradient.

    param *= 1 - lr * weight_decay; then Adam's step without a penalty in the gradient.

    Shape:
        Any; state: exp_avg, exp_avg_sq (and max_exp_avg_sq), each the parameters' size.

    Parameters:
        lr: learning rate, in parameter units a step.
        betas: decay of the two running means, each in [0, 1).
        eps: added to the root, in gradient units.
        weight_decay: share of a parameter taken away a step, in units of 1 / lr.
        amsgrad: divide by the largest v_hat so far.
        maximize: climb instead of descend.

    Raises:
        ConfigError: an argument is out of range.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.optim.AdamW.html;
        Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2017.
    """

    pytorch = "torch.optim.AdamW"

    type: Literal["AdamW"] = "AdamW"
    lr: NonNegative = 1e-3
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 1e-2
    amsgrad: bool = False
    maximize: bool = False
