"""What an author of components tests with, and what declnet's own tests use.

`run` gives one component arrays and gets arrays back; `optimize` does the same for an optimizer;
`check_gradients` compares backward with differences of forward. Everything is bound as in a plan, to
memory full of NaN and to inputs that cannot be written, so a component that reads what nobody wrote, or
writes where it must not, is found out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from declnet.core.component import Module, Site, arity
from declnet.core.optimizer import Group, Optimizer
from declnet.core.spec import Array, DType, Kind, Spec, numpy_dtype

Inputs = Mapping[str, Array] | Sequence[Array]
"""The inputs of a component: by the names of its `infer`, or in their order."""


@dataclass(slots=True)
class Run:
    """What a component gave. Gradients are there in training, given an upstream one; not of integer inputs."""

    output: Array
    buffers: dict[str, Array]
    grad_inputs: list[Array | None] = field(default_factory=list)
    grads: dict[str, Array] = field(default_factory=dict)


def spec_of(array: Array) -> Spec:
    """The spec of an array."""
    kinds: dict[str, Kind] = {"f": "float", "i": "int", "u": "int", "b": "bool"}
    return Spec(array.shape, kinds[array.dtype.kind])


def prepare(inputs: Inputs, module: Module, dtype: DType) -> list[Array]:
    """Inputs in order, as read-only arrays of the dtypes that a config of this dtype has."""
    names = arity(type(module)).names
    given = [inputs[name] for name in names] if isinstance(inputs, Mapping) else list(inputs)
    arrays = []
    for array in map(np.asarray, given):
        prepared = np.array(array, numpy_dtype(spec_of(array).kind, dtype), order="C")
        prepared.flags.writeable = False
        arrays.append(prepared)
    return arrays


def initial_state(module: Module, inputs: Inputs, *, seed: int = 0, dtype: DType = "float64") -> dict[str, Array]:
    """The parameters and buffers a component starts with, by name."""
    specs = [spec_of(array) for array in prepare(inputs, module, dtype)]
    rng = np.random.default_rng(seed)
    state: dict[str, Array] = {}
    for name, parameter in module.parameters(*specs).items():
        state[name] = np.empty(parameter.shape, dtype)
        parameter.init(state[name], rng)
    for name, buffer in module.buffers(*specs).items():
        state[name] = np.full(buffer.shape, buffer.value, numpy_dtype(buffer.kind, dtype))
    return state


def run(
    module: Module,
    inputs: Inputs,
    *,
    state: Mapping[str, Array] | None = None,
    grad_output: Array | float | None = None,
    training: bool = True,
    dtype: DType = "float64",
    seed: int = 0,
) -> Run:
    """Run one component forward and, given an upstream gradient in training, backward.

    Args:
        module: the component.
        inputs: its inputs, by name or in order; integers and booleans stay such, floats become `dtype`.
        state: parameters and buffers by name; left out, its own first values.
        grad_output: the gradient of the output, of its shape or a number for all of it.
        training: the mode.
        dtype: float32 or float64.
        seed: of whatever the component draws, and of its first values.

    Raises:
        ShapeError: the component does not take these inputs.
    """
    arrays = prepare(inputs, module, dtype)
    specs = [spec_of(array) for array in arrays]
    spec = module.infer(*specs)
    module = module.complete(*specs)
    start = initial_state(module, arrays, seed=seed, dtype=dtype) if state is None else state
    params = {name: np.array(start[name], dtype) for name in module.parameters(*specs)}
    buffers = {
        name: np.array(start[name], numpy_dtype(item.kind, dtype)) for name, item in module.buffers(*specs).items()
    }
    backward = training and grad_output is not None
    upstream = None if grad_output is None else np.array(np.broadcast_to(grad_output, spec.shape), dtype)
    if module.alias(training=training) == "reshape":
        grad = [upstream.reshape(arrays[0].shape)] if backward and upstream is not None else []
        return Run(arrays[0].reshape(spec.shape), buffers, [*grad])
    site = Site(
        inputs=tuple(arrays),
        output=poisoned(spec, dtype),
        params=params,
        buffers=buffers,
        scratch={
            name: poisoned(Spec(item.shape, item.kind), dtype)
            for name, item in module.scratch(*specs, training=training).items()
        },
        training=training,
        rng=np.random.default_rng(seed),
        grad_output=upstream if backward else None,
        grad_inputs=tuple(poisoned(s, dtype) if backward and s.kind == "float" else None for s in specs),
        grads={name: poisoned(Spec(param.shape), dtype) if backward else None for name, param in params.items()},
    )
    with np.errstate(all="ignore"):
        step = module.bind(site)
        step.forward()
        for name, param in params.items():
            param.flags.writeable = False
            if not np.array_equal(param, np.asarray(start[name], dtype), equal_nan=True):
                raise AssertionError(f"forward changed the parameter {name}")
        output = site.output.copy()
        if backward and step.backward is not None:
            step.backward()
    grads = {name: grad for name, grad in site.grads.items() if grad is not None}
    return Run(output, buffers, list(site.grad_inputs) if backward else [], grads if backward else {})


def poisoned(spec: Spec, dtype: DType) -> Array:
    """Memory nobody has written to yet: NaN, -1 or true everywhere."""
    fill = {"float": np.nan, "int": -1, "bool": True}[spec.kind]
    return np.full(spec.shape, fill, numpy_dtype(spec.kind, dtype))


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
    upstream = np.random.default_rng(seed).standard_normal(run(module, arrays, state=start, seed=seed).output.shape)
    found = run(module, arrays, state=start, grad_output=upstream, seed=seed)

    def value(values: list[Array], changed: Mapping[str, Array]) -> float:
        return float(np.sum(run(module, values, state=changed, seed=seed).output * upstream))

    names = arity(type(module)).names
    for index, gradient in enumerate(found.grad_inputs):
        if gradient is None:
            continue

        def of_input(moved: Array, index: int = index) -> float:
            return value([*arrays[:index], moved, *arrays[index + 1 :]], start)

        _compare(
            names[min(index, len(names) - 1)],
            gradient,
            _differences(of_input, arrays[index], step),
            tolerance,
        )
    for name, gradient in found.grads.items():

        def of_state(moved: Array, name: str = name) -> float:
            return value(arrays, {**start, name: moved})

        _compare(name, gradient, _differences(of_state, start[name], step), tolerance)


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
    worst = float(np.max(np.abs(gradient - probe), initial=0)) / scale
    if worst > tolerance:
        raise AssertionError(f"the gradient of {name} deviates from the differences by {worst:.3g}, relative")
