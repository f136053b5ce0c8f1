"""Mish."""

from __future__ import annotations

from typing import ClassVar, Literal, final

import numpy as np

from declnet.core.component import Module, Scratch, Site, Step
from declnet.core.spec import Spec


@final
class Mish(Module):
    """Self-gated activation: output = input * tanh(log(1 + exp(input))).

    Shape:
        input: (*), any shape. output: the same, above -0.309.

    Parameters:
        none.

    Raises:
        ShapeError: the input is not floating point.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Mish.html; Misra, "Mish: A Self Regularized
        Non-Monotonic Activation Function", 2019.
    """

    pytorch = "torch.nn.Mish"
    saves: ClassVar[tuple[str, ...]] = ("input",)

    type: Literal["Mish"] = "Mish"

    def infer(self, input: Spec) -> Spec:
        """Any shape of floating-point numbers."""
        self.require_float(input)
        return input

    def scratch(self, input: Spec, *, training: bool) -> dict[str, Scratch]:
        """The hyperbolic tangents, which backward reads again, and its work space."""
        if not training:
            return {}
        return {"gate": Scratch(input.shape, saved=True), "slope": Scratch(input.shape)}

    def bind(self, site: Site) -> Step:
        """With the gate g = tanh(log(1 + exp(x))), the slope is g + x * (1 - g²) / (1 + exp(-x))."""
        x, y = site.input, site.output
        g = site.scratch["gate"] if site.training else y
        zero, one = np.array(0, x.dtype), np.array(1, x.dtype)

        def forward() -> None:
            np.logaddexp(x, zero, out=g)
            np.tanh(g, out=g)
            np.multiply(x, g, out=y)

        if site.grad_input is None:
            return Step(forward)
        grad_x, grad_y, slope = site.grad_input, site.upstream, site.scratch["slope"]

        def backward() -> None:
            np.negative(x, out=slope)
            np.exp(slope, out=slope)
            np.add(slope, one, out=slope)
            np.divide(x, slope, out=slope)  # x / (1 + exp(-x))
            np.multiply(g, g, out=grad_x)
            np.subtract(one, grad_x, out=grad_x)
            np.multiply(slope, grad_x, out=slope)
            np.add(slope, g, out=slope)
            np.multiply(grad_y, slope, out=grad_x)

        return Step(forward, backward)
