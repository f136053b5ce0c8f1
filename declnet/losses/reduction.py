"""What losses share: how the losses of the elements become one number, and its gradient theirs."""

from __future__ import annotations

from typing import Literal

import numpy as np

from declnet.core.component import Loss, Scratch, Site
from declnet.core.spec import Array, Spec
from declnet.errors import ShapeError

Reduction = Literal["mean", "sum", "none"]

DEPRECATED = {
    "size_average": "deprecated in PyTorch: use reduction",
    "reduce": "deprecated in PyTorch: use reduction",
}


def reduced(reduction: Reduction, shape: tuple[int, ...]) -> Spec:
    """The output: a scalar, or one number for each element where nothing is reduced."""
    return Spec(shape if reduction == "none" else ())


def each_scratch(reduction: Reduction, shape: tuple[int, ...]) -> dict[str, Scratch]:
    """Room for the elements' losses; where nothing is reduced, that is the output itself."""
    return {} if reduction == "none" else {"each": Scratch(shape)}


class Reducer:
    """Binds the reduction. The loss writes `each`; backward multiplies each element's gradient by `factor`.

    `count` is what a mean divides by; a loss that counts anew at each step rewrites it before `forward`.
    """

    def __init__(self, reduction: Reduction, site: Site, shape: tuple[int, ...], count: Array) -> None:
        """`shape` is that of the elements' losses as the loss works on them."""
        self._reduction = reduction
        self._output, self._count = site.output, count
        self.each = site.output.reshape(shape) if reduction == "none" else site.scratch["each"].reshape(shape)
        if site.grad_output is not None:
            self._upstream = site.grad_output
            none = reduction == "none"
            self.factor = self._upstream.reshape(shape) if none else np.empty((), site.output.dtype)

    def forward(self) -> None:
        """Reduce the elements' losses to the output."""
        if self._reduction != "none":
            np.add.reduce(self.each, axis=None, out=self._output)
        if self._reduction == "mean":
            np.divide(self._output, self._count, out=self._output)

    def backward(self) -> None:
        """Bring `factor` up to date."""
        if self._reduction == "mean":
            np.divide(self._upstream, self._count, out=self.factor)
        elif self._reduction == "sum":
            np.copyto(self.factor, self._upstream)


def require_same_shape(loss: Loss, input: Spec, target: Spec) -> None:
    """Refuse a target that is not floating point or not of the input's shape."""
    loss.require_float(input, target)
    if input.shape != target.shape:
        column = input.ndim == target.ndim + 1 and input.shape[-1] == 1
        hint = "; a column becomes (N, 1) when it is written as a list: [column]" if column else ""
        raise ShapeError(
            f"{type(loss).__name__} compares arrays of one shape but its input is {input} "
            f"and its target {target}{hint}",
            argument=1,
        )
