"""Softmax, and LogSoftmax, its logarithm."""

from __future__ import annotations

from abc import ABC
from math import prod
from typing import ClassVar, Literal, final

import numpy as np

from declnet.core.component import Alias, Module, Scratch, Site, Step
from declnet.core.registry import modules
from declnet.core.spec import Spec


def legacy_dim(ndim: int) -> int:
    """The dimension PyTorch takes where `dim` is left out: 0 for 0, 1 and 3 dimensions, else 1."""
    return 0 if ndim in (0, 1, 3) else 1


class _Exponentials(Module, ABC):
    """Along one dimension the inputs, less the largest, and the sum of their exponentials."""

    saves: ClassVar[tuple[str, ...]] = ("output",)

    dim: int | None = None

    def infer(self, input: Spec) -> Spec:
        """Any shape that has the dimension."""
        self.require_float(input)
        if self.dim is not None:
            self.require_dim("dim", self.dim, input)
        return input

    def alias(self, *, training: bool) -> Alias:
        """Written over its input: backward reads only the output."""
        return "in_place"

    def flops(self, input: Spec) -> int:
        """Maximum, subtraction, exponential, sum, and what brings the sum to 1: five for each element."""
        return 5 * input.size

    def scratch(self, input: Spec, *, training: bool) -> dict[str, Scratch]:
        """The input as (before, along, after) the dimension, and a row of maxima or sums."""
        shape = input.shape or (1,)
        dim = legacy_dim(input.ndim) if self.dim is None else self.dim % len(shape)
        before, after = prod(shape[:dim]), prod(shape[dim + 1 :])
        return {"work": Scratch((before, shape[dim], after)), "row": Scratch((before, 1, after))}


@modules.register
@final
class Softmax(_Exponentials):
    """Positive shares that sum to 1: output_i = exp(input_i) / sum(exp(input)), along one dimension.

    The largest input is taken out first, so nothing overflows.

    Shape:
        input: (*), any shape. output: the same, each in [0, 1].

    Parameters:
        dim: the dimension along which the output sums to 1. Left out, PyTorch's old rule: 0 where the input has
            0, 1 or 3 dimensions, else 1.

    Raises:
        ShapeError: the input is not floating point, or has no dimension `dim`.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Softmax.html
    """

    pytorch = "torch.nn.Softmax"

    type: Literal["Softmax"] = "Softmax"

    def bind(self, site: Site) -> Step:
        """Shift, exponentiate, divide by the sum; backward: softmax * (grad - sum(softmax * grad))."""
        work, row = site.scratch["work"], site.scratch["row"]
        x, y = site.input.reshape(work.shape), site.output.reshape(work.shape)

        def forward() -> None:
            np.maximum.reduce(x, axis=1, keepdims=True, out=row, initial=-np.inf)
            np.subtract(x, row, out=y)
            np.exp(y, out=y)
            np.add.reduce(y, axis=1, keepdims=True, out=row)
            np.divide(y, row, out=y)

        if site.grad_input is None:
            return Step(forward)
        grad_y, grad_x = site.upstream.reshape(work.shape), site.grad_input.reshape(work.shape)

        def backward() -> None:
            np.multiply(y, grad_y, out=work)
            np.add.reduce(work, axis=1, keepdims=True, out=row)
            np.subtract(grad_y, row, out=work)
            np.multiply(work, y, out=grad_x)

        return Step(forward, backward)


@modules.register
@final
class LogSoftmax(_Exponentials):
    """Logarithm of the softmax: output_i = input_i - log(sum_j exp(input_j)), along one dimension.

    The largest input is taken out first, so nothing overflows.

    Shape:
        input: (*), any shape. output: the same, each in [-inf, 0].

    Parameters:
        dim: the dimension along which the exponentials sum to 1. Left out, PyTorch's old rule: 0 where the
            input has 0, 1 or 3 dimensions, else 1.

    Raises:
        ShapeError: the input is not floating point, or has no dimension `dim`.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.LogSoftmax.html
    """

    pytorch = "torch.nn.LogSoftmax"

    type: Literal["LogSoftmax"] = "LogSoftmax"

    def bind(self, site: Site) -> Step:
        """Shift, exponentiate, sum; backward: grad - softmax * sum(grad)."""
        exp, row = site.scratch["work"], site.scratch["row"]
        x, y = site.input.reshape(exp.shape), site.output.reshape(exp.shape)

        def forward() -> None:
            np.maximum.reduce(x, axis=1, keepdims=True, out=row, initial=-np.inf)
            np.subtract(x, row, out=y)
            np.exp(y, out=exp)
            np.add.reduce(exp, axis=1, keepdims=True, out=row)
            np.log(row, out=row)
            np.subtract(y, row, out=y)

        if site.grad_input is None:
            return Step(forward)
        grad_y, grad_x = site.upstream.reshape(exp.shape), site.grad_input.reshape(exp.shape)

        def backward() -> None:
            np.add.reduce(grad_y, axis=1, keepdims=True, out=row)
            np.exp(y, out=exp)
            np.multiply(exp, row, out=exp)
            np.subtract(grad_y, exp, out=grad_x)

        return Step(forward, backward)
