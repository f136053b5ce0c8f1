"""Adagrad."""

from __future__ import annotations

from typing import ClassVar, Literal, final

import numpy as np

from declnet.core.optimizer import BACKEND, Elementwise, Formula, Group, NonNegative, State
from declnet.core.registry import optimizers
from declnet.core.spec import Array
from declnet.optimizers.passes import Prologue, constants


@optimizers.register
@final
class Adagrad(Elementwise):
    """Adagrad: steps by the gradient over the root of the sum of all its squares.

    s = s + grad²; param -= lr / (1 + (t - 1) * lr_decay) * grad / (sqrt(s) + eps), in step t from 1.

    Shape:
        Any; state: sum, the parameters' size.

    Parameters:
        lr: learning rate, in parameter units a step.
        lr_decay: how fast the learning rate falls, a step.
        weight_decay: L2 penalty, added to the gradient as weight_decay * param.
        initial_accumulator_value: what the sums start from, in gradient units squared.
        eps: added to the root, in gradient units.
        maximize: climb instead of descend.

    Raises:
        ConfigError: an argument is out of range.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.optim.Adagrad.html;
        Duchi et al., "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization", 2011.
    """

    pytorch = "torch.optim.Adagrad"
    refused: ClassVar[dict[str, str]] = {n: BACKEND[n] for n in ("foreach", "differentiable", "fused")}
    passes: ClassVar[int] = 7

    type: Literal["Adagrad"] = "Adagrad"
    lr: NonNegative = 1e-2
    lr_decay: NonNegative = 0.0
    weight_decay: NonNegative = 0.0
    initial_accumulator_value: NonNegative = 0.0
    eps: NonNegative = 1e-10
    maximize: bool = False

    def state(self, size: int) -> dict[str, State]:
        """The sum of squares."""
        return {"sum": State((size,), self.initial_accumulator_value)}

    def formula(self, group: Group, step: int) -> Formula:
        """Seven passes over each block; the gradient is only read."""
        dtype = group.param.dtype
        prologue = Prologue(dtype, self)
        rate, eps = constants(dtype, -self.lr / (1 + (step - 1) * self.lr_decay), self.eps)

        def change(param: Array, grad: Array, total: Array, work: Array) -> None:
            prologue(param, grad, work)
            np.multiply(grad, grad, out=work)
            np.add(total, work, out=total)
            np.sqrt(total, out=work)
            np.add(work, eps, out=work)
            np.divide(grad, work, out=work)
            np.multiply(work, rate, out=work)
            np.add(param, work, out=param)

        return change
