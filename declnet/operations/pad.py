"""ZeroPad1d, ZeroPad2d, over one kernel for any number of dimensions."""

from __future__ import annotations

from abc import ABC
from typing import Annotated, ClassVar, Literal, final

import numpy as np
from pydantic import AfterValidator

from declnet.core.component import Module, Site, Step
from declnet.core.registry import modules
from declnet.core.spec import Spec
from declnet.errors import ShapeError


def _in_pairs(padding: int | tuple[int, ...]) -> int | tuple[int, ...]:
    if isinstance(padding, tuple) and (not padding or len(padding) % 2):
        raise ValueError("a list must have two numbers for each dimension that is padded, the last dimension first")
    return padding


Padding = Annotated[int | tuple[int, ...], AfterValidator(_in_pairs)]
"""One number for all sides; or before and behind of the last dimension, then of the one before it, and so on."""


class _ZeroPad(Module, ABC):
    """What the two have in common: everything but the number of dimensions."""

    dims: ClassVar[int]

    padding: Padding

    def _sides(self, shape: tuple[int, ...]) -> list[tuple[int, int, int]]:
        """Size, padding before and behind of each dimension; `padding` begins with the last dimension."""
        sides = self.padding if isinstance(self.padding, tuple) else (self.padding,) * (2 * self.dims)
        pairs = [(0, 0)] * (len(shape) - len(sides) // 2) + list(zip(sides[::2], sides[1::2], strict=True))[::-1]
        return [(size, low, high) for size, (low, high) in zip(shape, pairs, strict=True)]

    def infer(self, input: Spec) -> Spec:
        """(*, *sizes) to (*, *sizes with their padding)."""
        name = type(self).__name__
        dims = len(self.padding) // 2 if isinstance(self.padding, tuple) else self.dims
        if input.ndim < dims:
            raise ShapeError(f"{name} needs an input with {dims} dimensions but gets {input}", argument=0)
        for size, low, high in self._sides(input.shape):
            cropped = -min(low, 0) - min(high, 0)
            if cropped > size:
                raise ShapeError(
                    f"{name} takes {cropped} positions away but its input {input} has {size}",
                    field="padding",
                    argument=0,
                )
        return Spec(tuple(size + low + high for size, low, high in self._sides(input.shape)), input.kind)

    def flops(self, input: Spec) -> int:
        """A copy for each element of the input."""
        return input.size

    def bind(self, site: Site) -> Step:
        """Put what is left of the input into the middle of zeros; backward takes it out again."""
        x, y, grad_x = site.input, site.output, site.grad_input
        sides = self._sides(x.shape)
        kept = tuple(slice(max(-low, 0), size - max(-high, 0)) for size, low, high in sides)
        middle = tuple(slice(max(low, 0), size + low + min(high, 0)) for size, low, high in sides)
        source, target = x[kept], y[middle]

        def forward() -> None:
            y.fill(0)
            np.copyto(target, source)

        if grad_x is None:
            return Step(forward)
        grad_source, grad_target = grad_x[kept], site.upstream[middle]

        def backward() -> None:
            grad_x.fill(0)
            np.copyto(grad_source, grad_target)

        return Step(forward, backward)


@modules.register
@final
class ZeroPad1d(_ZeroPad):
    """Zeros before and behind the last dimension; a negative number takes positions away instead.

    Shape:
        input: (*, L), any shape with a dimension, floats, integers or booleans. output: (*, before + L + behind).

    Parameters:
        padding: how many zeros on both sides, or [before, behind]; further pairs are for the dimensions before it.

    Raises:
        ShapeError: the input has no dimension, or more is taken away than it has.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.ZeroPad1d.html
    """

    pytorch = "torch.nn.ZeroPad1d"
    dims: ClassVar[int] = 1

    type: Literal["ZeroPad1d"] = "ZeroPad1d"
    padding: Padding


@modules.register
@final
class ZeroPad2d(_ZeroPad):
    """Zeros around the last two dimensions; a negative number takes positions away instead.

    Shape:
        input: (*, H, W), any shape with two dimensions, floats, integers or booleans.
        output: (*, above + H + below, left + W + right).

    Parameters:
        padding: how many zeros on all sides, or [left, right, above, below]; [left, right] alone, and further pairs
            for the dimensions before them.

    Raises:
        ShapeError: the input has fewer than two dimensions, or more is taken away than it has.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.ZeroPad2d.html
    """

    pytorch = "torch.nn.ZeroPad2d"
    dims: ClassVar[int] = 2

    type: Literal["ZeroPad2d"] = "ZeroPad2d"
    padding: Padding
