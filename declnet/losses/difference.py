"""Losses of the differences between input and target: all that they do alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from declnet.core.component import Loss, Scratch, Site, Step
from declnet.core.numerics import fold
from declnet.core.spec import Array, Kind, Spec, promoted
from declnet.errors import ShapeError
from declnet.losses.reduction import (
    DEPRECATED,
    Reducer,
    Reduction,
    each_scratch,
    reduced,
    require_same_shape,
)


class DifferenceLoss(Loss, ABC):
    """A function of input - target, element by element: a subclass says which, in `curve`."""

    refused: ClassVar[dict[str, str]] = DEPRECATED

    reduction: Reduction = "mean"

    @abstractmethod
    def curve(self, difference: Array, each: Array, site: Site) -> Step:
        """Forward: each = the loss of each difference; backward: difference = the slope there.

        Forward may leave in `difference` what backward likes to read; without a backward it leaves the slope.
        """

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

    def scratch(self, input: Spec, target: Spec, *, training: bool) -> dict[str, Scratch]:
        """The differences, of which backward reads what forward left, and their losses."""
        kind = promoted((input.kind, target.kind))
        difference = {"difference": Scratch(input.shape, kind, saved=training)}
        return difference | each_scratch(self.reduction, input.shape, kind)

    def bind(self, site: Site) -> Step:
        """Reduce the losses; backward: slope * factor, for the target with the sign changed."""
        x, target = site.inputs
        difference = site.scratch["difference"]
        reducer = Reducer(self.reduction, site, x.shape, np.array(x.size, difference.dtype))
        curve = self.curve(difference, reducer.each, site)
        subtract = fold(np.subtract, (x, target), difference)

        def forward() -> None:
            subtract()
            curve.forward()
            reducer.forward()

        if site.grad_output is None:
            return Step(forward)
        grad_x, grad_target = site.grad_inputs

        def backward() -> None:
            reducer.backward()
            if curve.backward is not None:
                curve.backward()
            if grad_x is not None:
                np.multiply(difference, reducer.factor, out=grad_x)
            if grad_target is not None:
                np.multiply(difference, reducer.factor, out=grad_target)
                np.negative(grad_target, out=grad_target)

        return Step(forward, backward)


def sign_scratch(shape: tuple[int, ...], *, training: bool) -> dict[str, Scratch]:
    """What `magnitude` needs: where differences are above 0, and where below."""
    return {name: Scratch(shape, "bool") for name in ("above", "below")} if training else {}


def magnitude(difference: Array, each: Array, site: Site) -> Step:
    """The curve of |difference|; its slope is the sign, and 0 at 0 and at NaN."""

    def forward() -> None:
        np.absolute(difference, out=each)

    if not site.training:
        return Step(forward)
    above, below = site.scratch["above"], site.scratch["below"]
    sign, less = above.view("int8"), below.view("int8")
    zero = np.array(0, difference.dtype)

    def backward() -> None:
        np.greater(difference, zero, out=above)
        np.less(difference, zero, out=below)
        np.subtract(sign, less, out=sign)
        np.copyto(difference, sign)

    return Step(forward, backward)


def bent(difference: Array, each: Array, near: Array, bend: Array, width: Array) -> Step:
    """The curve that is difference² / (2 * width) up to `bend` on either side, and from there a straight line.

    With near = the difference cut off at the bends, both parts are near / width * (difference - near / 2), and
    near / width is the slope.
    """
    low, half = np.negative(bend), np.array(0.5, difference.dtype)

    def forward() -> None:
        np.clip(difference, low, bend, out=near)
        np.multiply(near, half, out=each)
        np.subtract(difference, each, out=each)
        np.divide(near, width, out=difference)
        np.multiply(each, difference, out=each)

    return Step(forward)
