"""LogSoftmax."""

from __future__ import annotations

from typing import ClassVar, Literal, final

import numpy as np

from declnet.core.component import Module, Scratch, Site, Step
from declnet.core.registry import modules
from declnet.core.spec import Spec


def legacy_dim(ndim: int) -> int:
    """The dimension PyTorch takes where `dim` is left out: 0 for 0, 1 and 3 dimensions, else 1."""
    return 0 if ndim in (0, 1, 3) else 1


@modules.register
@final
class LogSoftmax(Module):
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
    saves: ClassVar[tuple[str, ...]] = ("output",)

    type: Literal["LogSoftmax"] = "LogSoftmax"
    dim: int | None = None

    def infer(self, input: Spec) -> Spec:
        """Any shape that has the dimension."""
        self.require_float(input)
        if self.dim is not None:
            self.require_dim("dim", self.dim, input)
        return input

    def flops(self, input: Spec) -> int:
        """Maximum, two subtractions, exponential and sum: five for each element."""
        return 5 * input.size

    def _shape(self, input: Spec) -> tuple[int, int, int]:
        """The input as (before, along, after) the dimension."""
        shape = input.shape or (1,)
        dim = legacy_dim(input.ndim) if self.dim is None else self.dim % len(shape)
        before, after = int(np.prod(shape[:dim])), int(np.prod(shape[dim + 1 :]))
        return before, shape[dim], after

    def scratch(self, input: Spec, *, training: bool) -> dict[str, Scratch]:
        """Exponentials, and a row of maxima or sums."""
        before, along, after = self._shape(input)
        return {"exp": Scratch((before, along, after)), "row": Scratch((before, 1, after))}

    def bind(self, site: Site) -> Step:
        """Shift, exponentiate, sum; backward: grad - softmax * sum(grad)."""
        exp, row = site.scratch["exp"], site.scratch["row"]
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
