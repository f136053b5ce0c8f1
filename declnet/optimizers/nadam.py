"""NAdam: Adam with Nesterov's momentum."""

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
class NAdam(Elementwise):
    """NAdam: Adam that steps by the gradient and by what the mean of gradients will be.

    mu_t = beta1 * (1 - 0.96^(t * momentum_decay) / 2), and p_t the product of all mu up to t;
    m and v as in Adam; param -= lr * ((1 - mu_t) / (1 - p_t) * grad + mu_(t+1) / (1 - p_(t+1)) * m)
    / (sqrt(v / (1 - beta2^t)) + eps).

    Shape:
        Any; state: exp_avg (m), exp_avg_sq (v), each the parameters' size; mu_product (p), one number.

    Parameters:
        lr: learning rate, in parameter units a step.
        betas: decay of the two running means, each in [0, 1).
        eps: added to the root, in gradient units.
        weight_decay: L2 penalty, added to the gradient as weight_decay * param.
        momentum_decay: how fast mu rises from beta1 / 2 to beta1, a step.
        decoupled_weight_decay: shrink the parameters by lr * weight_decay instead, as AdamW does.
        maximize: climb instead of descend.

    Raises:
        ConfigError: an argument is out of range.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.optim.NAdam.html;
        Dozat, "Incorporating Nesterov Momentum into Adam", 2016.
    """

    pytorch = "torch.optim.NAdam"
    refused: ClassVar[dict[str, str]] = {
        name: BACKEND[name] for name in ("foreach", "capturable", "differentiable")
    }
    passes: ClassVar[int] = 14
    works: ClassVar[int] = 2

    type: Literal["NAdam"] = "NAdam"
    lr: NonNegative = 2e-3
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    momentum_decay: NonNegative = 4e-3
    decoupled_weight_decay: bool = False
    maximize: bool = False

    def state(self, size: int) -> dict[str, State]:
        """The product of the mu so far, first and second moment."""
        return {"mu_product": State((), 1.0), "exp_avg": State((size,)), "exp_avg_sq": State((size,))}

    def _mu(self, step: int) -> float:
        return self.betas[0] * (1 - 0.5 * math.pow(0.96, step * self.momentum_decay))

    def formula(self, group: Group, step: int) -> Formula:
        """Fourteen passes over each block; the gradient is only read."""
        dtype, (beta1, beta2), mu_product = group.param.dtype, self.betas, group.state["mu_product"]
        correction = math.sqrt(1 - beta2**step)
        mu, mu_next = self._mu(step), self._mu(step + 1)
        # PyTorch keeps the product in float32, also for parameters in float64.
        mu_product[...] = np.float32(mu_product) * np.float32(mu)
        product = float(mu_product)
        prologue = Prologue(dtype, self, decoupled=self.decoupled_weight_decay)
        first, second = running_mean(dtype, 1 - beta1), running_square(dtype, beta2)
        # Both fractions have one denominator, and are widened by correction as in Adam.
        rate = -self.lr * correction
        of_grad, of_mean, eps = constants(
            dtype,
            rate * (1 - mu) / (1 - product),
            rate * mu_next / (1 - product * mu_next),
            self.eps * correction,
        )

        def change(param: Array, grad: Array, exp_avg: Array, exp_avg_sq: Array, *works: Array) -> None:
            work, move = works
            prologue(param, grad, work)
            first(exp_avg, grad, work)
            second(exp_avg_sq, grad, work)
            np.multiply(grad, of_grad, out=move)
            np.multiply(exp_avg, of_mean, out=work)
            np.add(move, work, out=move)
            np.sqrt(exp_avg_sq, out=work)
            np.add(work, eps, out=work)
            np.divide(move, work, out=work)
            np.add(param, work, out=param)

        return change
