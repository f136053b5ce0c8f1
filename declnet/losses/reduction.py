"""What losses share: how the losses of the elements become one number, and its gradient theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from declnet.core.component import Action, Loss, Scratch, Site, Step, arity
from declnet.core.spec import Array, Kind, Spec
from declnet.errors import ShapeError

Reduction = Literal["mean", "sum", "none"]

Slope = Callable[[Array], None]
"""Writes the slopes of the elements' losses in one of the inputs."""

DEPRECATED = {
    "size_average": "deprecated in PyTorch: use reduction",
    "reduce": "deprecated in PyTorch: use reduction",
}


def reduced(reduction: str, shape: tuple[int, ...], kind: Kind = "float") -> Spec:
    """The output: a scalar, or one number for each element where nothing is reduced."""
    return Spec(shape if reduction == "none" else (), kind)


def each_scratch(reduction: str, shape: tuple[int, ...], kind: Kind = "float") -> dict[str, Scratch]:
    """Room for the elements' losses; where nothing is reduced, that is the output itself."""
    return {} if reduction == "none" else {"each": Scratch(shape, kind)}


class Reducer:
    """Binds the reduction. The loss writes `each`; backward multiplies each element's gradient by `factor`.

    `count` is what a mean divides by; a loss that counts anew at each step rewrites it before `forward`.
    """

    def __init__(self, reduction: Reduction, site: Site, shape: tuple[int, ...], count: Array) -> None:
        """`shape` is that of the elements' losses as the loss works on them."""
        self._reduction = reduction
        self._output, self._count = site.output, count
        self.each = site.output.reshape(shape) if reduction == "none" else site.scratch["each"].reshape(shape)
        self._flat = self.each.reshape(-1)
        if site.grad_output is not None:
            self._upstream = site.grad_output
            none = reduction == "none"
            self.factor = self._upstream.reshape(shape) if none else np.empty((), site.output.dtype)

    def forward(self) -> None:
        """Reduce the elements' losses to the output."""
        if self._reduction != "none":
            np.add.reduce(self._flat, 0, out=self._output)
        if self._reduction == "mean":
            np.divide(self._output, self._count, self._output)

    def backward(self) -> None:
        """Bring `factor` up to date."""
        if self._reduction == "mean":
            np.divide(self._upstream, self._count, self.factor)
        elif self._reduction == "sum":
            np.copyto(self.factor, self._upstream)

    def scale(self, gradient: Array) -> None:
        """Turn the slopes of the elements' losses into a gradient."""
        np.multiply(gradient, self.factor, out=gradient)

    def step(self, site: Site, forward: Action, *slopes: Slope) -> Step:
        """The step of a loss with these slopes, one for each input."""
        if site.grad_output is None:
            return Step(forward)
        pairs = zip(site.grad_inputs, slopes, strict=True)
        wanted = [(gradient, slope) for gradient, slope in pairs if gradient is not None]

        def backward() -> None:
            self.backward()
            for gradient, slope in wanted:
                slope(gradient)
                self.scale(gradient)

        return Step(forward, backward)


def require_same_shape(loss: Loss, *inputs: Spec) -> None:
    """Refuse inputs of a loss that differ in shape."""
    names = arity(type(loss)).names
    for argument, spec in enumerate(inputs[1:], 1):
        if spec.shape != inputs[0].shape:
            column = inputs[0].ndim == spec.ndim + 1 and inputs[0].shape[-1] == 1
            hint = "; a column becomes (N, 1) when it is written as a list: [column]" if column else ""
            raise ShapeError(
                f"{type(loss).__name__} compares arrays of one shape but its {names[0]} is {inputs[0]} "
                f"and its {names[argument]} {spec}{hint}",
                argument=argument,
            )
