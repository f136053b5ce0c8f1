"""Losses that take inputs of different shapes: the inputs repeat, and their gradients are added up again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from declnet.core.component import Action, Loss, Scratch, Site, Step, arity
from declnet.core.numerics import summing
from declnet.core.spec import Spec, broadcast
from declnet.errors import ShapeError

Shape = tuple[int, ...]


def common_shape(loss: Loss, *inputs: Spec) -> Shape:
    """The shape that all have together: sizes are compared from the last to the first, and 1 fits any other."""
    names, first = arity(type(loss)).names, inputs[0]
    shape = first.shape
    for argument, spec in enumerate(inputs[1:], 1):
        try:
            shape = broadcast(shape, spec.shape)
        except ValueError:
            raise ShapeError(
                f"{type(loss).__name__} takes inputs whose shapes fit but its {names[0]} is {first} and its "
                f"{names[argument]} {spec}",
                argument=argument,
            ) from None
    return shape


def require_same_ndim(loss: Loss, *inputs: Spec) -> None:
    """Refuse inputs with different numbers of dimensions."""
    names, first = arity(type(loss)).names, inputs[0]
    for argument, spec in enumerate(inputs[1:], 1):
        if spec.ndim != first.ndim:
            column = first.ndim == spec.ndim + 1 and first.shape[-1] == 1
            hint = "; a column becomes (N, 1) when it is written as a list: [column]" if column else ""
            raise ShapeError(
                f"{type(loss).__name__} takes inputs with as many dimensions but its {names[0]} is {first} and its "
                f"{names[argument]} {spec}{hint}",
                argument=argument,
            )


def gradient_scratch(shape: Shape, *inputs: Spec, training: bool) -> dict[str, Scratch]:
    """Room for the gradients of inputs that repeat, before they are added up."""
    repeated = [i for i, spec in enumerate(inputs) if spec.shape != shape and spec.kind == "float"]
    return {f"repeated{i}": Scratch(shape) for i in repeated} if training else {}


def repeating(site: Site, shape: Shape) -> tuple[Site, list[Action]]:
    """The site with all inputs and gradients in the common shape, and what brings the gradients back from there."""
    pairs = [(index, grad) for index, grad in enumerate(site.grad_inputs) if grad is not None]
    rooms = {index: site.scratch[f"repeated{index}"] for index, grad in pairs if grad.shape != shape}
    grads = tuple(rooms.get(index, grad) for index, grad in enumerate(site.grad_inputs))
    inputs = tuple(np.broadcast_to(array, shape) for array in site.inputs)
    return replace(site, inputs=inputs, grad_inputs=grads), [
        summing(rooms[index], grad) for index, grad in pairs if index in rooms
    ]


def then(step: Step, actions: list[Action]) -> Step:
    """The step, with these actions behind its backward."""
    backward = step.backward
    if backward is None or not actions:
        return step
    whole = backward

    def run() -> None:
        whole()
        for action in actions:
            action()

    return Step(step.forward, run)
