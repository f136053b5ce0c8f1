"""Run one optimizer over given gradients, or down a given function."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from declnet.core.optimizer import Group, Optimizer
from declnet.core.spec import Array, DType, numpy_dtype


def optimize(
    optimizer: Optimizer,
    param: Array,
    gradients: Sequence[Array],
    *,
    dtype: DType = "float64",
) -> list[Array]:
    """Give an optimizer one gradient a step; the parameters after each step.

    Args:
        optimizer: the optimizer; for one that calls the closure itself (LBFGS) take `minimize`.
        param: where the parameters start.
        gradients: one for each step, of the parameters' shape.
        dtype: float32 or float64.
    """
    vector, grad = np.array(param, dtype).reshape(-1), np.empty(param.size, dtype)
    group = Group(vector, grad, optimizer_state(optimizer, vector.size, dtype))
    update = optimizer.bind(group, lambda: 0.0)
    trace = []
    with np.errstate(all="ignore"):
        for step, gradient in enumerate(gradients, 1):
            grad[...] = np.asarray(gradient, dtype).reshape(-1)
            update(optimizer, step)
            trace.append(vector.reshape(param.shape).copy())
    return trace


def minimize(
    optimizer: Optimizer,
    function: Callable[[Array], tuple[float, Array]],
    start: Array,
    steps: int,
    *,
    dtype: DType = "float64",
) -> list[Array]:
    """Let an optimizer lower a function of the parameters; the parameters after each step.

    Args:
        optimizer: the optimizer; one that calls the closure itself (LBFGS) decides how often.
        function: gives the value and the gradient at a point.
        start: where to begin.
        steps: how many.
        dtype: float32 or float64.
    """
    vector, grad = np.array(start, dtype).reshape(-1), np.empty(start.size, dtype)

    def closure() -> float:
        value, gradient = function(vector.reshape(start.shape))
        grad[...] = np.asarray(gradient, dtype).reshape(-1)
        return float(value)

    group = Group(vector, grad, optimizer_state(optimizer, vector.size, dtype))
    update = optimizer.bind(group, closure)
    trace = []
    for step in range(1, steps + 1):
        if not optimizer.calls_closure:
            closure()
        update(optimizer, step)
        trace.append(vector.reshape(start.shape).copy())
    return trace


def optimizer_state(optimizer: Optimizer, size: int, dtype: DType) -> dict[str, Array]:
    """The state arrays an optimizer starts with."""
    return {
        name: np.full(item.shape, item.value, numpy_dtype(item.kind, dtype))
        for name, item in optimizer.state(size).items()
    }
