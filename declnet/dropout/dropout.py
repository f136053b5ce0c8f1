"""Dropout."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, final

import numpy as np
from pydantic import Field

from declnet.core.component import Alias, Module, Scratch, Site, Step
from declnet.core.registry import modules
from declnet.core.spec import Spec

Probability = Annotated[float, Field(ge=0, le=1)]


@modules.register
@final
class Dropout(Module):
    """Zeroes each element with probability p and scales the others by 1 / (1 - p); training only.

    In evaluation, and for p = 0, it is the identity and costs nothing. The gradient goes through the same
    mask. Draws come from the run's own generator, so a seed gives the same masks every time.

    Shape:
        input: (*), any shape. output: the same.

    Parameters:
        p: probability of an element to be zeroed, 0 to 1.

    Raises:
        ShapeError: the input is not floating point.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Dropout.html;
        Hinton et al., "Improving neural networks by preventing co-adaptation of feature detectors", 2012.
    """

    pytorch = "torch.nn.Dropout"
    refused: ClassVar[dict[str, str]] = {"inplace": "the plan works in place wherever nobody needs the input"}

    type: Literal["Dropout"] = "Dropout"
    p: Probability = 0.5

    def infer(self, input: Spec) -> Spec:
        """Any shape."""
        self.require_float(input)
        return input

    def alias(self, *, training: bool) -> Alias:
        """Nothing to do in evaluation; in training written over its input: backward reads only the mask."""
        return "in_place" if training and self.p > 0 else "reshape"

    def scratch(self, input: Spec, *, training: bool) -> dict[str, Scratch]:
        """The mask: 0 or 1 / (1 - p)."""
        return {"mask": Scratch(input.shape, saved=True)} if training else {}

    def bind(self, site: Site) -> Step:
        """Multiply by a new mask; backward by the same one."""
        x, y, mask, rng = site.input, site.output, site.scratch["mask"], site.rng
        keep = np.array(1 - self.p, mask.dtype)
        scale = np.array(1 / (1 - self.p) if self.p < 1 else 0, mask.dtype)

        def forward() -> None:
            rng.random(out=mask, dtype=mask.dtype)
            np.add(mask, keep, out=mask)  # in [1 - p, 2 - p): at least 1 with probability 1 - p
            np.floor(mask, out=mask)
            np.multiply(mask, scale, out=mask)
            np.multiply(x, mask, out=y)

        grad_x = site.grad_input
        if grad_x is None:
            return Step(forward)
        grad_y = site.upstream

        def backward() -> None:
            np.multiply(grad_y, mask, out=grad_x)

        return Step(forward, backward)
