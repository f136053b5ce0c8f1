"""ReLU."""

from __future__ import annotations

from typing import ClassVar, Literal, final

import numpy as np

from declnet.core.component import Alias, Module, Scratch, Site, Step
from declnet.core.numerics import BLOCK, bits, blocks, zeros
from declnet.core.registry import modules
from declnet.core.spec import Spec


@modules.register
@final
class ReLU(Module):
    """Rectifier: output = max(0, input). The gradient at 0 is 0; at NaN it is the output's or 0, by its sign bit.

    Shape:
        input: (*), any shape. output: the same.

    Parameters:
        none.

    Raises:
        ShapeError: the input is not floating point.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.ReLU.html
    """

    pytorch = "torch.nn.ReLU"
    refused: ClassVar[dict[str, str]] = {"inplace": "the plan works in place wherever nobody needs the input"}
    saves: ClassVar[tuple[str, ...]] = ("output",)

    type: Literal["ReLU"] = "ReLU"

    def infer(self, input: Spec) -> Spec:
        """Any shape."""
        self.require_float(input)
        return input

    def alias(self, *, training: bool) -> Alias:
        """Written over its input: backward reads only the output."""
        return "in_place"

    def scratch(self, input: Spec, *, training: bool) -> dict[str, Scratch]:
        """One block of sign masks."""
        return {"mask": Scratch((min(input.size, BLOCK),))} if training else {}

    def bind(self, site: Site) -> Step:
        """max(0, x); backward keeps the gradient where the output is positive."""
        pairs = zip(blocks(site.input, site.output), zeros(site.output), strict=True)
        pieces = [(x, zero, y) for (x, y), zero in pairs]

        def forward() -> None:
            for x, zero, y in pieces:
                np.maximum(x, zero, out=y)

        grad_input = site.grad_input
        if grad_input is None:
            return Step(forward)

        # An output is positive or +0 (the maximum of -0 and 0 is 0), so the negative of its bits, seen as an
        # integer, has its sign set just where the output is positive; shifted down, the sign fills the word: a
        # mask of all ones or zeros. Unlike a product with 0 and 1 it also blocks infinite gradients, as
        # PyTorch does.
        mask = bits(site.scratch["mask"])
        shift = np.array(8 * mask.itemsize - 1, mask.dtype)
        words = blocks(bits(site.output), bits(site.upstream), bits(grad_input))
        pieces_back = [(y, mask[: y.size], grad_y, grad_x) for y, grad_y, grad_x in words]

        def backward() -> None:
            for y, sign, grad_y, grad_x in pieces_back:
                np.negative(y, out=sign)
                np.right_shift(sign, shift, out=sign)
                np.bitwise_and(sign, grad_y, out=grad_x)

        return Step(forward, backward)
