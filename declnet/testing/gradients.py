"""Compare gradients with differences of the forward pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from declnet.core.component import Module
from declnet.core.spec import Array
from declnet.testing.arrays import Inputs, initial_state, prepare
from declnet.testing.run import Bound, run


def check_gradients(
    module: Module,
    inputs: Inputs,
    *,
    state: Mapping[str, Array] | None = None,
    seed: int = 0,
    step: float = 1e-6,
    tolerance: float = 1e-6,
) -> None:
    """Compare every gradient with central differences of the forward pass, in float64.

    Args:
        module: the component; what it draws at random is drawn alike each time.
        inputs: as for `run`; choose them away from kinks (ReLU's 0), where differences mean nothing.
        state: as for `run`.
        seed: of the upstream gradient and of what the component draws.
        step: half the distance of the two points of a difference.
        tolerance: largest deviation, relative to the largest gradient or to 1.

    Raises:
        AssertionError: a gradient deviates; the message names it and says by how much.
    """
    arrays = prepare(inputs, module, "float64")
    start = dict(initial_state(module, arrays, seed=seed) if state is None else state)
    forward = Bound(module, arrays, state=start, seed=seed)
    upstream = np.random.default_rng(seed).standard_normal(forward.run().output.shape)
    found = run(module, arrays, state=start, grad_output=upstream, seed=seed)
    places = start | dict(zip(found.inputs, arrays, strict=True))
    for name, gradient in found.gradients.items():

        def value(moved: Array, name: str = name) -> float:
            return float(np.sum(forward.run(changed={name: moved}, seed=seed).output * upstream))

        _compare(name, gradient, _differences(value, places[name], step), tolerance)


def _differences(function: Callable[[Array], float], at: Array, step: float) -> Array:
    """Central differences at every element."""
    gradient = np.empty(at.shape)
    for index in np.ndindex(at.shape):
        values = []
        for sign in (1, -1):
            moved = np.array(at, "float64")
            moved[index] += sign * step
            values.append(function(moved))
        gradient[index] = (values[0] - values[1]) / (2 * step)
    return gradient


def _compare(name: str, gradient: Array, probe: Array, tolerance: float) -> None:
    if not np.isfinite(gradient).all():
        raise AssertionError(f"the gradient of {name} is not finite; was all of it written?")
    scale = max(1.0, float(np.max(np.abs(probe), initial=0)))
    deviation = np.abs(gradient - probe) / scale
    if float(np.max(deviation, initial=0)) > tolerance:
        worst = np.unravel_index(int(np.argmax(deviation)), deviation.shape)
        where = ", ".join(map(str, worst))
        raise AssertionError(
            f"the gradient of {name} deviates from the differences by {deviation[worst]:.3g}, relative: "
            f"at [{where}] it is {gradient[worst]:.6g}, and they give {probe[worst]:.6g}"
        )
