"""Softmax, and LogSoftmax, its logarithm."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Literal, final

import numpy as np

from declnet.core.component import Action, Alias, Module, Scratch, Site, Step
from declnet.core.numerics import LONG, row_sums
from declnet.core.registry import modules
from declnet.core.spec import Array, Spec
from declnet.core.threads import cut, in_order, side_by_side

COST = 8
"""Passes over an element: an exponential counts for four."""

LEAST = math.exp(-8)
"""Sums of exponentials from here on lack nothing: what has vanished is 1e-34 of the largest term."""

MILD = math.exp(64)
"""Up to here such sums are far from what overflows."""

SMALL = math.exp(8)
"""Up to here an input less the sum's logarithm is as exact as one less what was shifted."""


def legacy_dim(ndim: int) -> int:
    """The dimension PyTorch takes where `dim` is left out: 0 for 0, 1 and 3 dimensions, else 1."""
    return 0 if ndim in (0, 1, 3) else 1


class _Exponentials(Module, ABC):
    """Along one dimension the inputs, less the largest, and the sum of their exponentials."""

    rows: ClassVar[tuple[str, ...]] = ("row",)
    """Work space with an element for each sum."""

    dim: int | None = None

    def infer(self, input: Spec) -> Spec:
        """Any shape that has the dimension."""
        self.require_float(input)
        if self.dim is not None:
            self.require_dim("dim", self.dim, input)
        return input

    def alias(self, *, training: bool) -> Alias:
        """Written over its input, which backward does not read."""
        return "in_place"

    def flops(self, input: Spec) -> int:
        """Maximum, subtraction, exponential, sum, and what brings the sum to 1: five for each element."""
        return 5 * input.size

    def scratch(self, input: Spec, *, training: bool) -> dict[str, Scratch]:
        """Elements as (before, along, after) the dimension, and rows of maxima or sums."""
        shape = input.shape or (1,)
        dim = legacy_dim(input.ndim) if self.dim is None else self.dim % len(shape)
        before, after = math.prod(shape[:dim]), math.prod(shape[dim + 1 :])
        rows = {name: Scratch((before, 1, after)) for name in self.rows}
        return {"work": Scratch((before, shape[dim], after))} | rows

    @final
    def bind(self, site: Site) -> Step:
        """One action for some of what is before the dimension, a block's worth, in lanes."""
        work, *rows = (site.scratch[name] for name in ("work", *self.rows))
        x, y = site.input.reshape(work.shape), site.output.reshape(work.shape)
        forward = _each(self.forward, x, y, work, *rows)
        if site.grad_input is None:
            return Step(forward)
        grad_y, grad_x = site.upstream.reshape(work.shape), site.grad_input.reshape(work.shape)
        return Step(forward, _each(self.backward, grad_y, grad_x, y, work, *rows))

    @abstractmethod
    def forward(self, x: Array, y: Array, work: Array, *rows: Array) -> Action:
        """Bind y = f(x) for one block; y may be x."""

    @abstractmethod
    def backward(self, grad_y: Array, grad_x: Array, y: Array, work: Array, *rows: Array) -> Action:
        """Bind the gradient of one block; grad_x may be grad_y, so it is written last."""


def _each(action: Callable[..., Action], *arrays: Array) -> Action:
    """What is bound for each block of these arrays (before, along, after), as one action."""
    before, size = len(arrays[0]), arrays[0][:1].size
    lanes = []
    for lane in cut(before, COST * size):
        starts = range(lane.start, lane.stop, max(1, LONG // max(1, size)))
        blocks = (slice(start, min(start + starts.step, lane.stop)) for start in starts)
        lanes.append(in_order([action(*(array[block] for array in arrays)) for block in blocks]))
    return side_by_side(lanes)


def _within(sums: Array, most: float) -> bool:
    """Whether all sums are from LEAST to this; not where one is NaN."""
    return sums.size > 0 and bool(sums[sums.argmin()] >= LEAST and sums[sums.argmax()] <= most)


@modules.register
@final
class Softmax(_Exponentials):
    """Positive shares that sum to 1: output_i = exp(input_i) / sum(exp(input)), along one dimension.

    Where inputs are large, the largest is taken out, so nothing overflows.

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
    saves: ClassVar[tuple[str, ...]] = ("output",)

    type: Literal["Softmax"] = "Softmax"

    def forward(self, x: Array, y: Array, work: Array, *rows: Array) -> Action:
        """Exponentiate, shifted where it has to be, and divide by the sum."""
        (row,) = rows
        exp = work if np.may_share_memory(x, y) else y  # the input may be needed again
        total, sums = row_sums(exp, row[:, 0]), row.reshape(-1)

        def forward() -> None:
            np.exp(x, out=exp)
            total()
            if not _within(sums, MILD):
                np.maximum.reduce(x, axis=1, keepdims=True, out=row, initial=-np.inf)
                np.subtract(x, row, out=exp)
                np.exp(exp, out=exp)
                total()
            np.divide(exp, row, out=y)

        return forward

    def backward(self, grad_y: Array, grad_x: Array, y: Array, work: Array, *rows: Array) -> Action:
        """softmax * (grad - sum(softmax * grad))."""
        (row,) = rows
        total = row_sums(work, row[:, 0])

        def backward() -> None:
            np.multiply(y, grad_y, out=work)
            total()
            np.subtract(grad_y, row, out=work)
            np.multiply(work, y, out=grad_x)

        return backward


@modules.register
@final
class LogSoftmax(_Exponentials):
    """Logarithm of the softmax: output_i = input_i - log(sum_j exp(input_j)), along one dimension.

    Where inputs are large, the largest is taken out, so nothing overflows.

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
    rows: ClassVar[tuple[str, ...]] = ("sums", "row")

    type: Literal["LogSoftmax"] = "LogSoftmax"

    def scratch(self, input: Spec, *, training: bool) -> dict[str, Scratch]:
        """Backward reads the exponentials and their sums."""
        scratch = super().scratch(input, training=training)
        return scratch | {name: Scratch(scratch[name].shape, saved=training) for name in ("work", "sums")}

    def forward(self, x: Array, y: Array, work: Array, *rows: Array) -> Action:
        """Exponentiate, shifted where it has to be, and sum; the work space keeps the softmax times the sums."""
        sums, row = rows
        total, flat = row_sums(work, sums[:, 0]), sums.reshape(-1)

        def forward() -> None:
            shifted = x
            np.exp(x, out=work)
            total()
            if not _within(flat, SMALL):
                np.maximum.reduce(x, axis=1, keepdims=True, out=row, initial=-np.inf)
                shifted = np.subtract(x, row, out=y)
                np.exp(shifted, out=work)
                total()
            np.log(sums, out=row)
            np.subtract(shifted, row, out=y)

        return forward

    def backward(self, grad_y: Array, grad_x: Array, y: Array, work: Array, *rows: Array) -> Action:
        """grad - softmax * sum(grad)."""
        sums, row = rows
        total = row_sums(grad_y, row[:, 0])

        def backward() -> None:
            total()
            np.divide(row, sums, out=row)
            np.multiply(work, row, out=work)
            np.subtract(grad_y, work, out=grad_x)

        return backward
