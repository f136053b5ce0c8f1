"""Hold one component to the contract, whatever it computes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from declnet.core.component import Component, Module, arity
from declnet.core.optimizer import Optimizer
from declnet.core.spec import Array
from declnet.core.suggest import any_of
from declnet.errors import ShapeError
from declnet.testing.arrays import Inputs, prepare, spec_of
from declnet.testing.class_checks import CLASS_CHECKS
from declnet.testing.module_checks import MODULE_CHECKS
from declnet.testing.optimizer_checks import OPTIMIZER_CHECKS

SHAPES: tuple[tuple[int, ...], ...] = ((4, 6), (3, 4, 6), (2, 4, 6, 6), (2, 4, 6, 6, 6), (6,), ())
"""Input shapes that are tried, in this order, where none are given."""


def check(component: type[Component] | Component, inputs: Inputs | None = None) -> None:
    """Run all conformance checks on a module or an optimizer.

    A module: what `infer` says is what comes out, in both dtypes and both modes; the same seed gives the same
    numbers, and a second run of what was bound once too; gradients agree with differences of forward; they do
    not change where other gradients are not wanted, where the plan lays output and gradients over inputs, or
    where all memory is overwritten that the component has not said it keeps; parameters stay as they are, and in
    evaluation buffers too. An optimizer: it lowers a bowl, in both dtypes, the same way each time, and also when
    it is stopped and taken up from its state. Both: registered under their class's name, documented, closed to
    unknown arguments.

    Args:
        component: a class that can be made without arguments, or an instance.
        inputs: arrays for a module, by name or in order, away from kinks; left out, common shapes are tried.

    Raises:
        AssertionError: a check failed, or the component raised something in it; the message says which.
        ShapeError: the component does not take these inputs.
        TypeError: the class needs arguments: pass an instance. Or no shape that was tried fits: pass inputs.
    """
    instance = _instance(component)
    if isinstance(instance, Optimizer):
        _hold(instance, CLASS_CHECKS, type(instance))
        _hold(instance, OPTIMIZER_CHECKS, instance)
    elif isinstance(instance, Module):
        _hold(instance, CLASS_CHECKS, type(instance))
        arrays = prepare(_try_shapes(instance) if inputs is None else inputs, instance, "float64")
        instance.infer(*map(spec_of, arrays))
        _hold(instance, MODULE_CHECKS, instance, arrays)
    else:
        raise TypeError(f"there are checks for modules, losses and optimizers, not for {type(instance).__name__}")


def _hold(component: Component, checks: Sequence[Callable[..., None]], *arguments: object) -> None:
    """Run checks; whatever goes wrong is an AssertionError that names the component."""
    for test in checks:
        try:
            test(*arguments)
        except Exception as error:
            plain = isinstance(error, AssertionError)
            told = [str(error) if plain else f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())]
            raise AssertionError(f"{type(component).__name__}: {'; '.join(told)}") from error


def _instance(component: type[Component] | Component) -> Component:
    if isinstance(component, Component):
        return component
    needed = [name for name, field in component.model_fields.items() if field.is_required()]
    if needed:
        raise TypeError(f"{component.__name__} needs {any_of(needed, 'and')}: pass an instance")
    return component.model_validate({})


def _try_shapes(module: Module) -> list[Array]:
    """Arrays of the first common shapes that the module takes; integers where floats are refused."""
    inputs = arity(type(module))
    count = len(inputs.names) + inputs.variadic
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
