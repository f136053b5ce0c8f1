"""Run one optimizer over given gradients, or down a given function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from declnet.core.optimizer import Group, Optimizer
from declnet.core.spec import Array, DType, numpy_dtype
from declnet.records import record

Function = Callable[[Array], tuple[float, Array]]
"""Gives the value and the gradient at a point."""

Schedule = Callable[[int], Optimizer]
"""The settings of a step, by its number."""


@record
class Descent:
    """The parameters after each step, and the optimizer's state after the last."""

    params: list[Array]
    state: dict[str, Array]


def optimize(
    optimizer: Optimizer,
    param: Array,
    gradients: Sequence[Array],
    *,
    state: Mapping[str, Array] | None = None,
    first: int = 1,
    schedule: Schedule | None = None,
    dtype: DType = "float64",
) -> Descent:
    """Give an optimizer one gradient a step.

    Args:
        optimizer: the optimizer; one that calls the closure itself (LBFGS) needs a function: see `minimize`.
        param: where the parameters start.
        gradients: one for each step, of the parameters' shape.
        state: what an earlier run left; left out, what the optimizer starts with.
        first: the number of the first step.
        schedule: the settings of each step, by its number, where they change; `lr` above all.
        dtype: float32 or float64.
    """
    if optimizer.calls_closure:
        raise ValueError(f"{optimizer.type} asks for gradients where it likes: take minimize, and a function")
    return minimize(
        optimizer,
        [_slope(gradient) for gradient in gradients],
        param,
        state=state,
        first=first,
        schedule=schedule,
        dtype=dtype,
    )


def minimize(
    optimizer: Optimizer,
    function: Function | Sequence[Function],
    start: Array,
    steps: int = 1,
    *,
    state: Mapping[str, Array] | None = None,
    first: int = 1,
    schedule: Schedule | None = None,
    dtype: DType = "float64",
) -> Descent:
    """Let an optimizer lower a function of the parameters, or several, one after another, as batches are.

    Args:
        optimizer: the optimizer; one that calls the closure itself (LBFGS) decides how often.
        function: gives the value and the gradient at a point; or several of them.
        start: where to begin.
        steps: how many; of several functions, how many down each.
        state, first, schedule: as for `optimize`.
        dtype: float32 or float64.
    """
    vector, grad = np.array(start, dtype).reshape(-1), np.empty(start.size, dtype)
    arrays = optimizer_state(optimizer, vector.size, dtype)
    for name, array in (state or {}).items():
        arrays[name][...] = array
    functions = [function] if callable(function) else function
    lowered = [each for each in functions for _ in range(steps)]
    params: list[Array] = []

    def closure() -> float:
        value, gradient = lowered[len(params)](vector.reshape(start.shape))
        grad[...] = np.asarray(gradient, dtype).reshape(-1)
        return float(value)

    update = optimizer.bind(Group(vector, grad, arrays), closure)
    with np.errstate(all="ignore"):
        for step in range(first, first + len(lowered)):
            if not optimizer.calls_closure:
                closure()
            update(optimizer if schedule is None else schedule(step), step)
            params.append(vector.reshape(start.shape).copy())
    return Descent(params, arrays)


def _slope(gradient: Array) -> Function:
    """A function that has this gradient everywhere; its value is asked for by none that does not search."""
    return lambda _: (0.0, gradient)


def optimizer_state(optimizer: Optimizer, size: int, dtype: DType) -> dict[str, Array]:
    """The state arrays an optimizer starts with."""
    return {
        name: np.full(item.shape, item.value, numpy_dtype(item.kind, dtype))
        for name, item in optimizer.state(size).items()
    }
