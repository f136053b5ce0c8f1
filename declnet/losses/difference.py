"""Losses of the differences between input and target: all that they do alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import ClassVar

import numpy as np

from declnet.core.component import Action
from declnet.core.numerics import Pair, fold, shared
from declnet.core.spec import Array, Kind, Spec, promoted
from declnet.core.threads import in_order
from declnet.errors import ShapeError
from declnet.losses.elements import Arrays, ElementLoss
from declnet.losses.reduction import DEPRECATED, Reduction, Slope, reduced, require_same_shape


class DifferenceLoss(ElementLoss, ABC):
    """A function of input - target, element by element: a subclass says which."""

    refused: ClassVar[dict[str, str]] = DEPRECATED

    reduction: Reduction = "mean"

    works: ClassVar[int] = 1
    passes: ClassVar[int] = 4

    @abstractmethod
    def lose(self, difference: Array, each: Array, *work: Array) -> None:
        """Write each = the losses of the differences, which may be changed."""

    @abstractmethod
    def bend(self, slope: Array, work: Array) -> None:
        """Turn differences into the slopes there, in place, but for `steepness`."""

    def kinds(self) -> tuple[Kind, ...]:
        """What input and target may hold: beside floats PyTorch turns integers and booleans into such."""
        return ("float", "int", "bool")

    def infer(self, input: Spec, target: Spec) -> Spec:
        """Two of one shape, one of them of floats; or, where these are just subtracted, integers."""
        self.require_kinds(self.kinds(), input, target)
        require_same_shape(self, input, target)
        kind = promoted((input.kind, target.kind))
        if kind != "float" and ("bool" in self.kinds() or self.reduction == "mean"):
            takes = "takes" if "bool" in self.kinds() else "takes the mean of"
            raise ShapeError(
                f"{type(self).__name__} {takes} floating-point numbers but its input is {input} and its target "
                f"{target}",
                argument=0,
            )
        return reduced(self.reduction, input.shape, kind)

    def flops(self, input: Spec, target: Spec) -> int:
        """Difference, its loss, sum: three for each element."""
        return 3 * input.size

    def elements(self, inputs: Arrays, each: Array, work: Arrays) -> Action:
        """The losses of the differences."""
        subtract, lose = fold(np.subtract, inputs, work[0]), partial(self.lose, work[0], each, *work[1:])
        return in_order([subtract, lose])

    def slopes(self, inputs: Arrays, work: Arrays) -> tuple[Slope, ...]:
        """The curve's slope, for the target with the sign changed."""

        def of_input(slope: Array) -> None:
            fold(np.subtract, inputs, slope)()
            self.bend(slope, work[0])

        def of_target(slope: Array) -> None:
            of_input(slope)
            np.negative(slope, out=slope)

        return of_input, of_target


def sign(slope: Array, work: Array) -> None:
    """Turn differences into their signs: 0 at 0 and at NaN."""
    flags = work.view(np.bool_)  # four or more for each number
    above, below = flags[: slope.size], flags[slope.size : 2 * slope.size]
    zero = shared(slope.dtype, 0)[0]
    np.greater(slope, zero, out=above)
    np.less(slope, zero, out=below)
    signs = above.view(np.int8)
    np.subtract(signs, below.view(np.int8), out=signs)
    np.copyto(slope, signs)


def bent(difference: Array, each: Array, work: Array, *, bend: float, width: float) -> None:
    """Losses on the curve that is difference² / (2 * width) up to `bend` on either side, and from there a straight
    line.

    With near = the difference cut off at the bends, both parts are near / width * (difference - near / 2), and
    near / width is the slope.
    """
    cut_off(difference, each, bend=bend)
    np.multiply(each, shared(each.dtype, 0.5)[0], out=work)
    np.subtract(difference, work, out=work)
    if width != 1:
        np.divide(each, shared(each.dtype, width)[0], out=each)
    np.multiply(each, work, out=each)


def mild(bend: float) -> bool:
    """Whether squares of the bend, and a thousand of them, neither overflow nor vanish in float32."""
    return 1e-15 <= bend <= 1e15


def bent_products(
    inputs: Arrays, near: Array, difference: Array, *, bend: float, width: float
) -> tuple[Action, Sequence[Pair]]:
    """The same as products, for a mild bend: (near * difference - near² / 2) / width. What is taken away is half of
    the first one at most, so few digits are lost.
    """
    find = in_order([fold(np.subtract, inputs, difference), partial(cut_off, difference, near, bend=bend)])
    cut, whole = near.reshape(-1), difference.reshape(-1)
    return find, [(cut, whole, 1 / width), (cut, cut, -0.5 / width)]


def cut_off(difference: Array, near: Array, *, bend: float) -> None:
    """near = the difference, at most `bend` and at least -bend."""
    low, high = shared(difference.dtype, -bend, bend)
    difference.clip(low, high, near)
