"""Rprop."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self, final

import numpy as np
from pydantic import Field

from declnet.core.optimizer import BACKEND, Closure, Group, NonNegative, Optimizer, State, Update


@final
class Rprop(Optimizer):
    """Resilient backpropagation: steps by the sign of the gradient, each element with a step size of its own.

    A size grows by the factor etaplus, up to size_max, while the sign stays, and shrinks by etaminus, down to
    size_min, where it changes; then that element waits for a step. For whole batches, not for small ones.

    Shape:
        Any; state: prev and step_size, each of the parameters' size.

    Parameters:
        lr: the first step size, in parameter units.
        etas: etaminus and etaplus.
        step_sizes: size_min and size_max, in parameter units.
        maximize: climb instead of descend.

    Raises:
        ConfigError: an argument is out of range.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.optim.Rprop.html; Riedmiller and Braun, "A Direct
        Adaptive Method for Faster Backpropagation Learning: The RPROP Algorithm", 1993.
    """

    pytorch = "torch.optim.Rprop"
    refused: ClassVar[dict[str, str]] = {n: BACKEND[n] for n in ("foreach", "capturable", "differentiable")}

    type: Literal["Rprop"] = "Rprop"
    lr: NonNegative = 1e-2
    etas: tuple[Annotated[float, Field(gt=0, lt=1)], Annotated[float, Field(gt=1)]] = (0.5, 1.2)
    step_sizes: tuple[NonNegative, NonNegative] = (1e-6, 50.0)
    maximize: bool = False

    def state(self, size: int) -> dict[str, State]:
        """The gradient before, and the step sizes."""
        return {"prev": State((size,)), "step_size": State((size,), self.lr)}

    def bind(self, group: Group, closure: Closure) -> Update[Self]:
        """Block by block, each small enough to stay in the cache."""
        blocks = [(*vectors, np.empty(vectors[0].size, "bool")) for vectors in group.blocks("prev", "step_size")]

        def update(settings: Self, step: int) -> None:
            (shrink, grow), (least, most) = settings.etas, settings.step_sizes
            for param, grad, prev, size, work, mask in blocks:
                if settings.maximize:
                    np.negative(grad, out=grad)
                np.multiply(grad, prev, out=work)  # 0 in the first step and after a wait: the size stays
                np.greater(work, 0, out=mask)
                np.multiply(size, grow, out=size, where=mask)
                np.less(work, 0, out=mask)
                np.multiply(size, shrink, out=size, where=mask)
                np.clip(size, least, most, out=size)
                np.copyto(grad, 0, where=mask)
                np.copyto(prev, grad)
                np.sign(grad, out=work)
                np.multiply(work, size, out=work)
                np.subtract(param, work, out=param)

        return update
