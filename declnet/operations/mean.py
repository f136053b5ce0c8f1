"""Mean."""

from __future__ import annotations

import math
from typing import Annotated, Literal, final

import numpy as np
from pydantic import Field

from declnet.core.component import Module, Scratch, Site, Step
from declnet.core.numerics import summing
from declnet.core.registry import modules
from declnet.core.spec import Spec
from declnet.errors import ShapeError


def require_dims(module: Module, dim: int | tuple[int, ...] | None, input: Spec) -> tuple[int, ...]:
    """The dimensions counted from 0, in order; None stands for all. Refuse one that is missing or named twice."""
    if dim is None:
        return tuple(range(input.ndim))
    given = (dim,) if isinstance(dim, int) else dim
    dims = [module.require_dim("dim", item, input) for item in given]
    if len(set(dims)) < len(dims):
        raise ShapeError(
            f"{type(module).__name__}'s dim {list(given)} names a dimension of its input {input} twice",
            field="dim",
            argument=0,
        )
    return tuple(sorted(dims)) if input.ndim else ()


@modules.register
@final
class Mean(Module):
    """Mean over some dimensions.

    Shape:
        input: (*), any shape that has the dimensions. output: without them, or with keepdim of size 1 in them.

    Parameters:
        dim: the dimension or dimensions to average over; negative counts from the end. null for all, the batch
            included. PyTorch takes all where it is left out: here it has to be said.
        keepdim: whether the dimensions stay, with size 1.

    Raises:
        ShapeError: the input is not floating point, has no such dimension, or dim names one twice.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.mean.html
    """

    type: Literal["Mean"] = "Mean"
    dim: int | Annotated[tuple[int, ...], Field(min_length=1)] | None
    keepdim: bool = False

    def infer(self, input: Spec) -> Spec:
        """The dimensions left out, or of size 1."""
        self.require_float(input)
        dims = require_dims(self, self.dim, input)
        if self.keepdim:
            return Spec(tuple(1 if d in dims else size for d, size in enumerate(input.shape)))
        return Spec(tuple(size for d, size in enumerate(input.shape) if d not in dims))

    def flops(self, input: Spec) -> int:
        """An addition for each element."""
        return input.size

    def scratch(self, input: Spec, *, training: bool) -> dict[str, Scratch]:
        """Each element's part in the gradient."""
        return {"share": Scratch(self.infer(input).shape)} if training else {}

    def bind(self, site: Site) -> Step:
        """Sum and divide; backward: the gradient divided, to all that were averaged."""
        x, y = site.input, site.output
        dims = require_dims(self, self.dim, Spec(x.shape))
        kept = tuple(1 if d in dims else size for d, size in enumerate(x.shape))
        sums, count = y.reshape(kept), np.array(math.prod(x.shape[d] for d in dims), y.dtype)

        add_up = summing(x, sums)

        def forward() -> None:
            add_up()
            np.divide(y, count, out=y)

        grad_x = site.grad_input
        if grad_x is None:
            return Step(forward)
        grad_y, share = site.upstream, site.scratch["share"]
        spread = share.reshape(kept)

        def backward() -> None:
            np.divide(grad_y, count, out=share)
            np.copyto(grad_x, spread)

        return Step(forward, backward)
