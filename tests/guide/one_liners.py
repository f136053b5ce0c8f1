"""Checks of pairs of one line a side: a component, an operation, a loss; an optimizer; an initializer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from components.cases.case import landscape
from components.harness import Material, Results, measure, schedule
from components.oracle import call
from components.test_initializers import two_samples
from declnet.config.yaml import loads
from declnet.core.component import Component, Module
from declnet.core.initializer import Initialization
from declnet.core.optimizer import Optimizer
from declnet.core.registry import family, initializers, losses, modules, optimizers, schedulers
from declnet.core.scheduler import Scheduler
from declnet.core.spec import Array
from declnet.testing import initial_state, minimize, spec_of
from guide.page import Pair, tensors
from guide.sides import IMPORTED
from twins.compare import ROWS, close

STEPS = 5
TOLERANCE = 1e-9

WIDTH = 4.0
"""How far apart the standard deviations of two samples of one law may be, in standard errors: for n normal numbers
that is 1 / sqrt(2 n) of each, relative.
"""

PERIODS = 40
"""Epochs or steps that a scheduler goes through."""

MANY = 100
"""Rows that are dropped from, to see what is left."""


def component_of(text: str) -> tuple[Component, list[str]]:
    """The component that a line of a config names, and the values that it reads."""
    raw = loads(f"node: {text}", text).data["node"]
    given = {"type": raw} if isinstance(raw, str) else dict(raw)
    inputs = given.pop("inputs", ())
    registries = (modules, losses, optimizers, schedulers, initializers)
    cls = next(found for registry in registries if (found := registry.get(given["type"])))
    return cls.model_validate(given), [inputs] if isinstance(inputs, str) else list(inputs)


def evaluate(expression: str, **names: object) -> object:
    """The value of one piece of PyTorch."""
    return eval(expression, IMPORTED | names)  # noqa: S307 - the page's own lines


def values(pair: Pair) -> None:
    """One component: outputs, the gradients of inputs and parameters, and buffers, in both modes."""
    component, reads = component_of(pair.yaml)
    assert isinstance(component, Module)
    rng = np.random.default_rng(0)
    arrays = {name: tensor(rng) for name, tensor in tensors(pair.given, ROWS).items()}
    inputs = [arrays[name] for name in reads or arrays]
    state = initial_state(component, inputs)
    floats = {name: array for name, array in state.items() if array.dtype.kind == "f"}
    state |= {name: rng.uniform(0.5, 1.5, array.shape) for name, array in floats.items()}
    output = component.infer(*map(spec_of, inputs))
    material = Material(tuple(inputs), state, rng.normal(size=output.shape) if output.kind == "float" else None)
    for training in (True, False):
        function = function_of(pair.python, reads or list(arrays), state, training=training)
        if isinstance(function, nn.Module):
            assert reads in ([], list(arrays)), "the tensors stand in the order in which a module takes them"
        if training and family(type(component)) == "dropout":
            _what_is_left(component, function, (MANY, *inputs[0].shape[1:]))
            continue
        found = measure(component, material, "float64", training=training)
        wanted = call(function, material, training)
        assert found.keys() == wanted.keys()
        for name, array in wanted.items():
            close(name, found[name], torch.from_numpy(array), TOLERANCE)


def function_of(expression: str, names: Sequence[str], state: Results, *, training: bool) -> Callable[..., Tensor]:
    """A module in this mode and state, or a function of the tensors that the expression names."""
    if not expression.startswith("nn."):

        def function(*inputs: Tensor) -> Tensor:
            result = evaluate(expression, **dict(zip(names, inputs, strict=True)))
            assert isinstance(result, Tensor)
            return result

        return function
    module = evaluate(expression)
    assert isinstance(module, nn.Module)
    if state:
        module.double().load_state_dict({name: torch.from_numpy(array.copy()) for name, array in state.items()})
    return module.double().train(training)


def _what_is_left(component: Component, function: Callable[..., Tensor], shape: tuple[int, ...]) -> None:
    """Dropout makes two values of one, which tell p; which of them goes where is drawn."""
    ones = Material((np.ones(shape),), {})
    torch.manual_seed(0)
    found, wanted = measure(component, ones, "float64"), call(function, ones, training=True)
    left = np.unique(found["output"])
    assert left.size == 2
    np.testing.assert_allclose(left, np.unique(wanted["output"]), rtol=TOLERANCE)


def walk(pair: Pair) -> None:
    """One optimizer: where it goes on the same slopes."""
    optimizer, _ = component_of(pair.yaml)
    assert isinstance(optimizer, Optimizer)
    start = np.linspace(-1, 1, 6)

    def valley(at: Array) -> tuple[float, Array]:
        return landscape(np.ones(6), at)

    at = nn.Parameter(torch.from_numpy(start.copy()))
    theirs = evaluate(pair.python, model=nn.ParameterList([at]))
    assert isinstance(theirs, torch.optim.Optimizer)

    def closure() -> float:
        loss, slope = valley(at.detach().numpy())
        at.grad = torch.from_numpy(slope)
        return loss

    for point in minimize(optimizer, valley, start, STEPS).params:
        theirs.step(closure)
        close("the parameters", point, at, TOLERANCE)


def rates(pair: Pair) -> None:
    """One scheduler: the rates of two groups in each period, where a figure falls and then stays as it is."""
    scheduler, _ = component_of(pair.yaml)
    assert isinstance(scheduler, Scheduler)
    figures = [max(1 - period / 10, 0.5) for period in range(PERIODS)]
    groups = [{"params": [nn.Parameter(torch.zeros(1))], "lr": lr} for lr in (0.1, 0.01)]
    optimizer = torch.optim.SGD(groups, momentum=0.9)
    theirs: Any = evaluate(pair.python, optimizer=optimizer, epochs=PERIODS, steps=PERIODS)
    found = []
    for figure in figures:
        found.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        theirs.step(*([figure] if scheduler.watches else []))
    ours = schedule(scheduler, np.array([0.1, 0.01]), np.array(figures))["lr"]
    np.testing.assert_allclose(ours, found, rtol=TOLERANCE, atol=TOLERANCE * 0.01)
    assert len(set(ours[:, 0])) > 1


def law(pair: Pair) -> None:
    """One initializer, on a parameter w of the given shape."""
    initializer, _ = component_of(pair.yaml)
    assert isinstance(initializer, Initialization)
    shape = tensors(pair.given, ROWS)["w"].shape
    ours, theirs = np.full(shape, np.nan), torch.full(shape, math.nan, dtype=torch.float64)
    initializer.check(shape)
    initializer(ours, np.random.default_rng(0))
    torch.manual_seed(0)
    evaluate(pair.python, w=theirs)
    same_law(pair.yaml, ours, theirs.numpy())
    if "orthogonal" in pair.python:
        spectra = [np.linalg.svd(matrix, compute_uv=False) for matrix in (ours, theirs.numpy())]
        np.testing.assert_allclose(*spectra, rtol=TOLERANCE)


def same_law(name: str, one: Array, other: Array) -> None:
    """Equal where nothing is drawn; else two samples of one distribution, as wide, with as many zeros a column."""
    assert one.shape == other.shape, name
    if np.unique(other).size <= 2:
        np.testing.assert_array_equal(one, other, err_msg=name)
        return
    two_samples(one, other)
    assert math.isclose(one.std(), other.std(), rel_tol=WIDTH / math.sqrt(one.size)), name
    np.testing.assert_array_equal((one == 0).sum(0), (other == 0).sum(0), err_msg=name)
