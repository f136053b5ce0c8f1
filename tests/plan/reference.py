"""The reference: the same graph in PyTorch, one call after another, nothing shared and nothing in place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from declnet.core.component import Module
from declnet.core.spec import Array
from declnet.plan.graph import Call, Graph

Tensor = torch.Tensor


@dataclass(slots=True)
class Result:
    """What a step gives."""

    loss: float
    output: Array
    grads: dict[str, Array]
    buffers: dict[str, Array]


@dataclass(slots=True)
class _Context:
    component: Any
    params: dict[str, Tensor]
    buffers: dict[str, Array]
    training: bool
    rng: np.random.Generator


def _norm(context: _Context, x: Tensor) -> Tensor:
    axes = tuple(range(x.ndim - 1))
    part, state = context.component, context.buffers
    if context.training:
        mean, var = x.mean(axes), x.var(axes, correction=0)
        state["mean"] += part.momentum * (mean.detach().numpy() - state["mean"])
        state["var"] += part.momentum * (var.detach().numpy() - state["var"])
        state["count"] += 1
    else:
        mean, var = (torch.from_numpy(state[name].copy()) for name in ("mean", "var"))
    return (x - mean) / torch.sqrt(var + part.eps) * context.params["weight"]


def _dropout(context: _Context, x: Tensor) -> Tensor:
    p = context.component.p
    if not context.training or p == 0:
        return x
    return x * torch.from_numpy(np.floor(context.rng.random(x.shape) + (1 - p)) / (1 - p))


FORMULAS: dict[str, Callable[..., Tensor]] = {
    "Linear": lambda c, x: functional.linear(x, c.params["weight"], c.params.get("bias")),
    "ReLU": lambda _, x: torch.relu(x),
    "LogSoftmax": lambda c, x: torch.log_softmax(x, c.component.dim),
    "Flatten": lambda c, x: torch.flatten(x, c.component.start_dim, c.component.end_dim),
    "Dropout": _dropout,
    "CrossEntropyLoss": lambda _, x, t: functional.cross_entropy(x, t),
    "MSELoss": lambda _, x, t: functional.mse_loss(x, t),
    "Add": lambda _, *xs: torch.stack(xs).sum(0),
    "Scale": lambda c, x: x * c.component.factor,
    "Tanh": lambda _, x: torch.tanh(x),
    "Bump": lambda _, x: x**2 / (1 + x**2),
    "Mul": lambda _, x, y: x * y,
    "Pair": lambda c, x, y: functional.bilinear(x, y, c.params["weight"]),
    "Lookup": lambda c, t: c.params["weight"][t],
    "Norm": _norm,
    "Fold": lambda _, x: x.reshape(*x.shape[:-1], -1, 2),
    "Swap": lambda _, x: x.transpose(-1, -2),
    "Noise": lambda c, x: x * torch.from_numpy(c.rng.random(tuple(x.shape))),
    "Gain": lambda c, x: x * c.params["gain"],
    "Distance": lambda _, x, y: ((x - y) ** 2).mean(),
    "Ranking": lambda _, x, y, z: torch.logaddexp(torch.zeros_like(x), -z * (x - y)).mean(),
}


def reference(
    graph: Graph, state: Mapping[str, Array], data: Mapping[str, Array], rng: np.random.Generator, *, training: bool
) -> Result:
    """Run the graph on this state; the state is not changed."""
    params = {name: torch.tensor(state[name], requires_grad=True) for name in graph.parameters}
    buffers = {name: state[name].copy() for name in graph.buffers}
    values = {value: torch.from_numpy(data[name]) for name, value in graph.inputs.items()}
    for call in _ancestors(graph, training=training):
        prefix = f"{call.owner}."
        context = _Context(call.component, _local(params, prefix), _local(buffers, prefix), training, rng)
        inputs = [values[value] for value in call.inputs]
        values[call.output] = FORMULAS[_type(call.component)](context, *inputs)
    total = sum(scale * values[value] for value, scale in graph.terms)
    assert isinstance(total, Tensor)
    if total.requires_grad and training:
        total.backward()
    output = torch.empty(0) if training or graph.output is None else values[graph.output]
    grads = {name: param.grad.numpy() for name, param in params.items() if param.grad is not None}
    return Result(float(total.detach()), output.detach().numpy(), grads, buffers)


def _ancestors(graph: Graph, *, training: bool) -> list[Call]:
    """What has to run, found from the end."""
    producers = {call.output: call for call in graph.calls}
    stack = [value for value, _ in graph.terms] + ([] if training else graph.kept)
    found: set[int] = set()
    while stack:
        value = stack.pop()
        if value in producers and value not in found:
            found.add(value)
            stack += producers[value].inputs
    return [call for call in graph.calls if call.output in found]


def _local(items: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): item for name, item in items.items() if name.startswith(prefix)}


def _type(component: Module) -> str:
    return component.type
