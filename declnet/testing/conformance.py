"""Hold one component to the contract, whatever it computes."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Sequence

import numpy as np

from declnet.core.component import Component, Module, arity
from declnet.core.optimizer import Optimizer
from declnet.core.registry import REGISTRIES
from declnet.core.spec import Array, DType
from declnet.errors import ShapeError
from declnet.testing.gradients import check_gradients
from declnet.testing.optimize import minimize
from declnet.testing.run import Inputs, Run, initial_state, prepare, run, spec_of

SHAPES: tuple[tuple[int, ...], ...] = ((4, 6), (3, 4, 6), (2, 4, 6, 6), (2, 4, 6, 6, 6), (6,), ())
"""Input shapes that are tried, in this order, where none are given."""

DTYPES: tuple[DType, ...] = ("float32", "float64")


def check(component: type[Component] | Component, inputs: Inputs | None = None) -> None:
    """Run all conformance checks on a module or an optimizer.

    A module: what `infer` says is what comes out, in both dtypes and both modes; the same seed gives the same
    numbers; gradients agree with differences of forward; they do not change where other gradients are not
    wanted, where the plan lays output and gradients over inputs, or where all memory is overwritten that the
    component has not said it keeps; parameters stay as they are. An optimizer: it lowers a bowl, in both
    dtypes, the same way each time. Both: registered under their class's name, documented, closed to unknown
    arguments.

    Args:
        component: a class that can be made without arguments, or an instance.
        inputs: arrays for a module, by name or in order, away from kinks; left out, common shapes are tried.

    Raises:
        AssertionError: a check failed; the message says which.
        TypeError: the class needs arguments: pass an instance. Or no shape that was tried fits: pass inputs.
    """
    instance = _instance(component)
    _check_class(type(instance))
    if isinstance(instance, Optimizer):
        _check_optimizer(instance)
    elif isinstance(instance, Module):
        arrays = prepare(_try_shapes(instance) if inputs is None else inputs, instance, "float64")
        for test in MODULE_CHECKS:
            test(instance, arrays)
    else:
        raise TypeError(f"there are checks for modules, losses and optimizers, not for {type(instance).__name__}")


def _instance(component: type[Component] | Component) -> Component:
    if isinstance(component, Component):
        return component
    needed = [name for name, field in component.model_fields.items() if field.is_required()]
    if needed:
        raise TypeError(f"{component.__name__} needs {', '.join(needed)}: pass an instance")
    return component.model_validate({})


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise AssertionError(message)


def _check_class(cls: type[Component]) -> None:
    name = cls.model_fields["type"].default
    known = [registry.load().get(name) for registry in REGISTRIES]
    _require(cls in known, f"{name} is not registered: add an entry point or a register decorator")
    _require(
        name in (cls.__name__, cls.__name__.lower()), f"the type {name!r} is not the class's name {cls.__name__!r}"
    )
    _require(bool(inspect.getdoc(cls)), f"{name} has no docstring: `list-components {name}` prints it")
    for section in ("Shape:", "Parameters:", "Reference:"):
        _require(section in (inspect.getdoc(cls) or ""), f"the docstring of {name} has no section {section}")


def _try_shapes(module: Module) -> list[Array]:
    """Arrays of the first common shapes that the module takes; integers where floats are refused."""
    count = len(arity(type(module)).names) + arity(type(module)).variadic
    rng = np.random.default_rng(0)
    for shapes in itertools.product(SHAPES, repeat=count):
        for kinds in itertools.product("fi", repeat=count):
            arrays = [
                rng.uniform(0.1, 0.9, shape) if kind == "f" else rng.integers(0, 2, shape)
                for shape, kind in zip(shapes, kinds, strict=True)
            ]
            try:
                module.infer(*map(spec_of, arrays))
            except ShapeError:
                continue
            return arrays
    raise TypeError(f"no common shape fits {type(module).__name__}: pass inputs")


def _upstream(module: Module, inputs: Sequence[Array]) -> Array:
    shape = run(module, inputs).output.shape
    return np.asarray(np.random.default_rng(1).standard_normal(shape))


def _shapes_and_dtypes(module: Module, inputs: Sequence[Array]) -> None:
    spec = module.infer(*map(spec_of, inputs))
    for dtype, training in itertools.product(DTYPES, (True, False)):
        output = run(module, inputs, dtype=dtype, training=training).output
        where = f"in {dtype}, {'training' if training else 'evaluation'}"
        _require(spec_of(output) == spec, f"infer says {spec} but {where} the output is {spec_of(output)}")
        _require(spec.kind != "float" or output.dtype == dtype, f"the output is {output.dtype} {where}")
        _require(not np.isnan(output).any(), f"the output holds NaN {where}; was all of it written?")


def _same_seed_same_numbers(module: Module, inputs: Sequence[Array]) -> None:
    first, second = (run(module, inputs, grad_output=1.0, seed=3) for _ in range(2))
    _same(first, second, "a second run with the same seed")


def _gradients(module: Module, inputs: Sequence[Array]) -> None:
    check_gradients(module, inputs)


def _shared_memory(module: Module, inputs: Sequence[Array]) -> None:
    upstream = _upstream(module, inputs)
    for dtype in DTYPES:
        plain, shared = (run(module, inputs, grad_output=upstream, dtype=dtype, shared=s) for s in (False, True))
        _same(plain, shared, f"sharing memory as a plan does ({dtype}): see `alias`, `saves` and `scratch`")


def _parameters_stay(module: Module, inputs: Sequence[Array]) -> None:
    start = initial_state(module, inputs)
    for name, param in run(module, inputs, grad_output=1.0).params.items():
        same = np.array_equal(param, start[name])
        _require(same or module.changes_parameters, f"a step changed the parameter {name}")


def _figures(module: Module, inputs: Sequence[Array]) -> None:
    specs = [spec_of(array) for array in inputs]
    _require(module.flops(*specs) >= 0, "flops is negative")
    completed = module.complete(*specs)
    _require(completed.infer(*specs) == module.infer(*specs), "complete changes what infer says")
    again = type(module).model_validate({name: getattr(completed, name) for name in type(module).model_fields})
    _require(again == completed, "the completed component does not come back from its arguments")


MODULE_CHECKS: tuple[Callable[[Module, Sequence[Array]], None], ...] = (
    _shapes_and_dtypes,
    _same_seed_same_numbers,
    _gradients,
    _shared_memory,
    _parameters_stay,
    _figures,
)


def _same(first: Run, second: Run, when: str) -> None:
    """Require two runs to agree in everything."""
    pairs = [("output", first.output, second.output)]
    pairs += [(f"buffer {name}", first.buffers[name], second.buffers[name]) for name in first.buffers]
    pairs += [(f"gradient of {name}", first.grads[name], second.grads[name]) for name in first.grads]
    for index, (one, other) in enumerate(zip(first.grad_inputs, second.grad_inputs, strict=True)):
        if one is not None and other is not None:
            pairs.append((f"gradient of input {index}", one, other))
    for name, one, other in pairs:
        _require(np.array_equal(one, other, equal_nan=True), f"the {name} changes with {when}")


def _check_optimizer(optimizer: Optimizer) -> None:
    """Twenty steps down a bowl, twice, in both dtypes."""

    def bowl(at: Array) -> tuple[float, Array]:
        return float(np.sum(at * at)) / 2, at

    start = np.linspace(-1, 1, 8)
    for dtype in DTYPES:
        first, second = (minimize(optimizer, bowl, start, 20, dtype=dtype) for _ in range(2))
        _require(np.array_equal(first[-1], second[-1]), f"a second run gives other numbers ({dtype})")
        _require(bool(np.isfinite(first[-1]).all()), f"the parameters are not finite ({dtype})")
        _require(first[-1].dtype == dtype, f"the parameters became {first[-1].dtype}")
        _require(bowl(first[-1])[0] < bowl(start)[0], f"twenty steps down a bowl lead up ({dtype})")
