"""Normalize."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal, final

import numpy as np
from pydantic import Field

from declnet.core.component import Module, Scratch, Site, Step
from declnet.core.norm import Exponent, Norm
from declnet.core.registry import modules
from declnet.core.spec import Spec
from declnet.errors import ShapeError
from declnet.operations.mean import require_dims


@modules.register
@final
class Normalize(Module):
    """Divides by the p-norm along some dimensions: output = input / max(norm, eps), norm = sum(|input|^p)^(1/p).

    p = 0 counts the numbers that are not 0, p = inf (`.inf`) takes the largest magnitude, p = -inf the smallest.
    Where the norm is below eps, the gradient is that of input / eps.

    Shape:
        input: (*), any shape that has the dimensions. output: the same.

    Parameters:
        p: the exponent; below 0 a single 0 makes the norm 0.
        dim: the dimension or dimensions over which the norm is taken; negative counts from the end.
        eps: the least that is divided by.

    Raises:
        ShapeError: the input is not floating point, has no such dimension, or nothing to take the largest of, or a
            power below 0.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.functional.normalize.html
    """

    saves: ClassVar[tuple[str, ...]] = ("input",)

    type: Literal["Normalize"] = "Normalize"
    p: Exponent = 2.0
    dim: int | Annotated[tuple[int, ...], Field(min_length=1)] = 1
    eps: float = 1e-12

    def infer(self, input: Spec) -> Spec:
        """Any shape that has the dimensions."""
        self.require_float(input)
        dims = require_dims(self, self.dim, input)
        if (self.p < 0 or math.isinf(self.p)) and any(input.shape[dim] == 0 for dim in dims):
            raise ShapeError(
                f"Normalize cannot take the norm with p = {self.p:g} of nothing: its input is {input}",
                field="p",
                argument=0,
            )
        return input

    def _kept(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        dims = require_dims(self, self.dim, Spec(shape))
        return tuple(1 if dim in dims else size for dim, size in enumerate(shape))

    def flops(self, input: Spec) -> int:
        """Power, sum, quotient: three for each element."""
        return 3 * input.size

    def scratch(self, input: Spec, *, training: bool) -> dict[str, Scratch]:
        """The norms and what is divided by, which backward reads, and room for powers."""
        kept = self._kept(input.shape)
        names = {"norm": Scratch(kept, saved=training), "denominator": Scratch(kept, saved=training)}
        names["work"] = Scratch(input.shape)
        if not training:
            return names
        return names | {"pull": Scratch(kept), "flat": Scratch(kept, "bool"), "zero": Scratch(input.shape, "bool")}

    def bind(self, site: Site) -> Step:
        """Divide by the norm; backward: also through the norm, where that is not below eps."""
        x, y, norm, denominator = site.input, site.output, site.scratch["norm"], site.scratch["denominator"]
        eps, zero = (np.array(number, x.dtype) for number in (self.eps, 0))
        length = Norm(self.p, x, norm, site.scratch["work"])

        def forward() -> None:
            length.measure()
            np.maximum(norm, eps, out=denominator)
            np.divide(x, denominator, out=y)

        grad_x = site.grad_input
        if grad_x is None:
            return Step(forward)
        grad_y, work, pull, flat = site.upstream, site.scratch["work"], site.scratch["pull"], site.scratch["flat"]
        zeros, bounded = site.scratch["zero"], self.eps > 0

        def alone() -> None:
            np.divide(grad_y, denominator, out=grad_x)

        if self.p == 0:  # a number of numbers has no slope, also where one of them is NaN
            return Step(forward, alone)

        def backward() -> None:
            np.multiply(grad_y, x, out=work)
            np.add.reduce(work, axis=length.dims, keepdims=True, out=pull)
            np.divide(pull, denominator, out=pull)
            np.divide(pull, denominator, out=pull)
            np.divide(grad_y, denominator, out=grad_x)
            length.slope(pull, denominator, zeros)  # from here on the denominator is not needed
            # At eps itself the norm still counts; where it is 0 it has no slope.
            np.greater_equal(norm, eps, out=flat)
            np.logical_and(flat, norm, out=flat)
            if bounded:
                np.logical_not(flat, out=flat)
                np.copyto(pull, zero, where=flat)
            else:  # 0 / 0 has been divided: what is NaN stays NaN
                np.multiply(pull, flat, out=pull)
            np.multiply(work, pull, out=work)
            np.subtract(grad_x, work, out=grad_x)

        return Step(forward, backward)
