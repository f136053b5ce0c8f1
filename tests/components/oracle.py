"""Runs a case with PyTorch; `harness` runs it with declnet, and gives the same names."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial, reduce
from operator import attrgetter
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from components.cases.case import STEPS, landscape
from components.harness import Material, Results
from declnet.core.component import Component, Module
from declnet.core.optimizer import Optimizer
from declnet.core.scheduler import Scheduler
from declnet.core.spec import Array, DType
from declnet.testing import spec_of

torch.set_num_threads(1)

REFERENCES: dict[str, Callable[[Any], Callable[..., torch.Tensor]]] = {
    "Reshape": lambda c: lambda x: x.reshape(len(x), *torch.empty(1, *x.shape[1:]).reshape(1, *c.shape).shape[1:]),
    "Permute": lambda c: lambda x: x.permute(c.dims).contiguous(),
    "Add": lambda _: lambda *xs: reduce(torch.add, xs),
    "Sub": lambda _: torch.sub,
    "Mul": lambda _: lambda *xs: reduce(torch.mul, xs),
    "MatMul": lambda _: torch.matmul,
    "Concat": lambda c: lambda *xs: torch.cat(xs, c.dim),
    "Mean": lambda c: lambda x: x.mean(c.dim, c.keepdim),
    "Normalize": lambda c: lambda x: torch.nn.functional.normalize(x, c.p, c.dim, c.eps),
}
"""What components compute that are no class of PyTorch's with the same name and arguments."""

TENSORS = ("weight", "pos_weight")
"""Arguments that are numbers in a config and tensors in PyTorch, whose losses keep them as buffers."""


def counterpart(component: type[Component]) -> Callable[..., Any]:
    """The PyTorch class that a component names as its own."""
    if component.pytorch is None:
        raise LookupError(f"{component.__name__} names no PyTorch class, and REFERENCES has nothing for it")
    found: Callable[..., Any] = attrgetter(component.pytorch.removeprefix("torch."))(torch)
    return found


def arguments(component: Component) -> dict[str, object]:
    """A component's arguments as PyTorch takes them."""
    return tensors(fields(component))


def fields(component: Component) -> dict[str, object]:
    """A component's arguments."""
    return {name: getattr(component, name) for name in type(component).model_fields if name != "type"}


def tensors(given: dict[str, object]) -> dict[str, object]:
    """Arguments as PyTorch takes them."""
    found = {
        name: torch.tensor(given[name], dtype=torch.float64) for name in TENSORS if given.get(name) is not None
    }
    return given | found


EXPECTED_WARNINGS = (
    "Implicit dimension choice",
    "dropout2d: Received a 3D input",
    "Initializing zero-element tensors",
    "Using padding='same' with even kernel",
    "reduction: .mean. divides the total loss by both",
)
"""What PyTorch warns of where a case means just that."""


def measure(component: Component, material: Material, dtype: DType, *, training: bool = True) -> Results:
    """Run a component's counterpart on its material."""
    material = material.cast(dtype)
    with warnings.catch_warnings():
        for message in EXPECTED_WARNINGS:
            warnings.filterwarnings("ignore", message)
        if isinstance(component, Optimizer):
            return _optimize(component, *map(torch.from_numpy, material.inputs))
        if isinstance(component, Scheduler):
            return _schedule(component, *(array.tolist() for array in material.inputs))
        with _default(getattr(torch, dtype)):
            if component.type in REFERENCES:
                return call(REFERENCES[component.type](component), material, training)
            assert isinstance(component, Module)
            return call(_module(component, material, dtype, training), material, training)


@contextmanager
def _default(dtype: torch.dtype) -> Iterator[None]:
    """Integers that become floating-point numbers become such, as in a config of this dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _module(component: Module, material: Material, dtype: DType, training: bool) -> torch.nn.Module:
    """The counterpart of a module, in the material's state: both name it alike."""
    given = arguments(component.complete(*map(spec_of, material.inputs)))
    module: torch.nn.Module = counterpart(type(component))(**given)
    module.to(getattr(torch, dtype)).train(training)
    state = {name: torch.from_numpy(array) for name, array in material.state.items()}
    missing, unexpected = module.load_state_dict(state, strict=False)
    assert not unexpected
    assert all(isinstance(given.get(name), torch.Tensor) for name in missing)
    return module


def takes(
    component: Module,
    inputs: Sequence[Array],
    changed: Mapping[str, object] | None = None,
    *,
    training: bool = True,
) -> bool:
    """Whether the counterpart of a module, perhaps with some arguments `changed`, runs on these inputs, in training
    backward too.
    """
    with warnings.catch_warnings(), _default(torch.float64):
        warnings.simplefilter("ignore")
        try:
            given = fields(component)
            if None in given.values():  # what is left out and not given its place by the inputs stays so
                inferred = fields(component.complete(*map(spec_of, inputs)))
                given = {name: inferred[name] if value is None else value for name, value in given.items()}
            given |= dict(changed or {})
            if component.type in REFERENCES:
                function = REFERENCES[component.type](SimpleNamespace(**given))
            else:
                function = counterpart(type(component))(**tensors(given)).train(training)
            arrays = [torch.tensor(array) for array in inputs]
            leaves = [array.requires_grad_() for array in arrays if array.is_floating_point() and training]
            output = function(*arrays)
            if leaves and output.requires_grad:
                output.backward(torch.ones_like(output))
        except (ArithmeticError, AssertionError, LookupError, RuntimeError, TypeError, ValueError):
            return False
    return True


def call(function: Callable[..., torch.Tensor], material: Material, training: bool) -> Results:
    """Forward, and in training backward where the output has a gradient."""
    inputs = [torch.from_numpy(array) for array in material.inputs]
    if training:
        inputs = [array.requires_grad_(array.is_floating_point()) for array in inputs]
    output = function(*inputs)
    results: dict[str, torch.Tensor | None] = {"output": output}
    named = dict(function.named_parameters()) if isinstance(function, torch.nn.Module) else {}
    if training and output.requires_grad and material.grad_output is not None:
        leaves = {f"grad_inputs.{index}": array for index, array in enumerate(inputs)}
        leaves |= {f"grads.{name}": parameter for name, parameter in named.items()}
        torch.autograd.backward(output, torch.from_numpy(material.grad_output))
        # A norm with p = 0 has no gradient, PyTorch says, rather than one of 0.
        unused = {name: torch.zeros_like(leaf) for name, leaf in leaves.items() if leaf.requires_grad}
        results |= {name: unused.get(name) if leaf.grad is None else leaf.grad for name, leaf in leaves.items()}
    if isinstance(function, torch.nn.Module):
        results |= {f"buffers.{n}": array for n, array in function.named_buffers() if n in material.state}
    return {name: array.detach().numpy().copy() for name, array in results.items() if array is not None}


def _optimize(component: Optimizer, param: torch.Tensor, gradients: torch.Tensor) -> Results:
    """A step for each gradient, the later half of them at half the learning rate."""
    param = param.requires_grad_()
    optimizer = counterpart(type(component))([param], **arguments(component))
    gradient = param

    def closure() -> float:
        loss, slope = landscape(gradient.reshape(-1).numpy(), param.detach().reshape(-1).numpy())
        param.grad = torch.from_numpy(slope).reshape(param.shape)
        return loss

    trace = []
    for step, gradient in enumerate(gradients, 1):
        if step == STEPS // 2 + 1:
            optimizer.param_groups[0]["lr"] /= 2
        param.grad = gradient.clone()
        optimizer.step(closure if component.calls_closure else None)
        trace.append(param.detach().numpy().copy())
    kept = {} if component.calls_closure else optimizer.state[param]
    state = sorted((name, array) for name, array in kept.items() if name != "step" and array is not None)
    return {"params": np.stack(trace)} | {f"state.{name}": array.numpy() for name, array in state}


def _schedule(component: Scheduler, lrs: list[float], figures: list[float]) -> Results:
    """The rates of the groups in each period, the momentum of SGD and the first beta of Adam."""
    rows: dict[str, list[list[float]]] = {}
    for make in (partial(torch.optim.SGD, momentum=0.9), torch.optim.Adam):
        optimizer = make([{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in lrs])
        scheduler = counterpart(type(component))(optimizer, **arguments(component.complete(len(figures))))
        for number, figure in enumerate(figures, 1):
            for name in ("lr", "momentum", "betas"):
                if name in optimizer.param_groups[0]:
                    found = [group[name] for group in optimizer.param_groups]
                    rows.setdefault(name, []).append([value[0] if name == "betas" else value for value in found])
            optimizer.step()
            if number < len(figures):
                scheduler.step(*([figure] if component.watches else []))
    lr = rows["lr"][: len(figures)]
    assert rows["lr"] == 2 * lr
    return {"lr": np.array(lr), "momentum": np.array(rows["momentum"]), "beta1": np.array(rows["betas"])}
