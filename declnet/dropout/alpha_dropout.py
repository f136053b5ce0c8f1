"""AlphaDropout."""

from __future__ import annotations

import math
from functools import partial
from typing import Final, Literal, final

import numpy as np

from declnet.core.component import Scratch, Site, Step
from declnet.core.numerics import lanes
from declnet.core.registry import modules
from declnet.core.spec import Array, Spec
from declnet.core.threads import in_order, side_by_side
from declnet.dropout.noise import Noise, drawing, scaling, zeros

SATURATION: Final = 1.7580993408473766
"""-SELU(-inf), its scale times its alpha. Reference: Klambauer et al., 2017, section 2."""


@modules.register
@final
class AlphaDropout(Noise):
    """Sets each element with probability p to what SELU saturates at; training only. Mean 0 and variance 1 stay.

    output = a * (input or, with probability p, -1.7581) + b, where a = ((1 - p) * (1 + 1.7581² * p))^(-1/2) and
    b = 1.7581 * a * p. For p = 1 it is 0, as in PyTorch. In evaluation, and for p = 0, it is the identity and
    costs nothing. The gradient goes through the same mask.

    Shape:
        input: (*), any shape; in training integers and booleans only for a p of 0 or 1. output: the same.

    Parameters:
        p: probability of an element to be dropped, 0 to 1.

    Raises:
        ShapeError: the input is not floating point, and in training would be scaled.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.AlphaDropout.html;
        Klambauer et al., "Self-Normalizing Neural Networks", 2017.
    """

    pytorch = "torch.nn.AlphaDropout"

    type: Literal["AlphaDropout"] = "AlphaDropout"

    def scratch(self, input: Spec, *, training: bool) -> dict[str, Scratch]:
        """The mask: 0 or a."""
        return self.masks(input, input.shape, training=training)

    def flops(self, input: Spec) -> int:
        """Two additions and a product for each element."""
        return 3 * super().flops(input)

    def bind(self, site: Site) -> Step:
        """output = (input + saturation) * mask - saturation * a * (1 - p)."""
        if site.output.dtype.kind != "f":
            return zeros(site.output)
        p, mask = self.p, site.scratch["mask"]
        a = 1 / math.sqrt((1 - p) * (1 + SATURATION**2 * p)) if p < 1 else 0.0
        saturation, low = (np.array(number, mask.dtype) for number in (SATURATION, SATURATION * a * (1 - p)))

        def drop(x: Array, block: Array, y: Array) -> None:
            np.add(x, saturation, out=y)
            np.multiply(y, block, out=y)
            np.subtract(y, low, out=y)

        pieces = [
            in_order([partial(drop, *block) for block in lane])
            for lane in lanes(site.input, mask, site.output, passes=3)
        ]
        forward = in_order([drawing(mask, p, a, site.rng), side_by_side(pieces)])
        if site.grad_input is None:
            return Step(forward)
        return Step(forward, scaling(site.upstream, mask, site.grad_input))
