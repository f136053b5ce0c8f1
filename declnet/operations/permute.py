"""Permute."""

from __future__ import annotations

from functools import partial
from typing import Final, Literal, final

import numpy as np

from declnet.core.component import Action, Module, Site, Step
from declnet.core.registry import modules
from declnet.core.spec import Array, Spec
from declnet.core.threads import cut, side_by_side
from declnet.errors import ShapeError

SCATTERED: Final = 4
"""Passes over memory in order that take as long as one out of order (measured)."""


@modules.register
@final
class Permute(Module):
    """Reorders the dimensions: dimension i of the output is dimension dims[i] of the input.

    The data move, so that the next component finds its input in order; in PyTorch they do so at
    `.permute(dims).contiguous()`.

    Shape:
        input: (S_0, S_1, ...), any kind of number. output: (S_dims[0], S_dims[1], ...).

    Parameters:
        dims: all dimensions of the input in their new order, the batch dimension 0 included; negative counts
            from the end. [0, 2, 3, 1] puts channels last.

    Raises:
        ShapeError: dims does not name each dimension of the input once.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.permute.html
    """

    type: Literal["Permute"] = "Permute"
    dims: tuple[int, ...]

    def infer(self, input: Spec) -> Spec:
        """Reorder the sizes."""
        dims = [dim + input.ndim if dim < 0 else dim for dim in self.dims]
        if sorted(dims) != list(range(input.ndim)):
            raise ShapeError(
                f"Permute's dims {list(self.dims)} must name each of the {input.ndim} dimensions of its input "
                f"{input} once",
                field="dims",
                argument=0,
            )
        return Spec(tuple(input.shape[dim] for dim in dims), input.kind)

    def bind(self, site: Site) -> Step:
        """Copy from the input in the new order; backward to its gradient."""
        forward = _copy(site.output, site.input.transpose(self.dims))
        if site.grad_input is None:
            return Step(forward)
        return Step(forward, _copy(site.grad_input.transpose(self.dims), site.upstream))


def _copy(target: Array, source: Array) -> Action:
    """Lanes of the first dimension, each copied whole: blocks of it gained nothing (measured)."""
    if not target.size or not target.ndim:
        return partial(np.copyto, target, source)
    cost = SCATTERED * target[0].size
    return side_by_side([partial(np.copyto, target[lane], source[lane]) for lane in cut(len(target), cost)])
