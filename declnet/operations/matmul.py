"""MatMul."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, final

import numpy as np

from declnet.core.component import Action, Module, Scratch, Site, Step
from declnet.core.numerics import summing
from declnet.core.registry import modules
from declnet.core.spec import Array, Spec, broadcast
from declnet.errors import ShapeError

Shape = tuple[int, ...]


def as_matrices(input: Shape, other: Shape) -> tuple[Shape, Shape, Shape]:
    """The shapes of both, and of their product, as matrices: a vector is a row on the left, a column on the right.
    All rows on the left become one matrix where there is but one on the right: that is one product, not many.
    """
    left = input if len(input) > 1 else (1, *input)
    right = other if len(other) > 1 else (*other, 1)
    if len(right) == 2:
        left = (math.prod(left[:-1]), left[-1])
    return left, right, (*broadcast(left[:-2], right[:-2]), left[-2], right[-1])


@modules.register
@final
class MatMul(Module):
    """Matrix product: output = input @ other.

    Shape:
        input: (*, n, k), other: (*, k, m). output: (*, n, m). The leading dimensions * are broadcast: compared
            from the last to the first, sizes are equal or one of them is 1 or missing. An input of shape (k,) is
            one row, other of shape (k,) one column; that dimension is then missing in the output. Floats or
            integers, both of one kind.

    Parameters:
        none.

    Raises:
        ShapeError: the sizes k differ, the leading dimensions do not fit, one of the two is a single number or
            holds booleans, or the one holds floats and the other integers.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.matmul.html
    """

    saves: ClassVar[tuple[str, ...]] = ("input", "other")

    type: Literal["MatMul"] = "MatMul"

    def infer(self, input: Spec, other: Spec) -> Spec:
        """Rows of the one by columns of the other."""
        self.require_kinds(("float", "int"), input, other)
        if input.kind != other.kind:
            raise ShapeError(
                f"MatMul takes inputs of one kind but its input holds {input.kind}s and its other {other.kind}s",
                argument=1,
            )
        for argument, spec in enumerate((input, other)):
            if spec.ndim == 0:
                raise ShapeError("MatMul takes matrices but its input is a single number", argument=argument)
        inner = other.shape[-2 if other.ndim > 1 else 0]
        if input.shape[-1] != inner:
            raise ShapeError(
                f"MatMul takes (*, n, k) and (*, k, m) but its inputs are {input} and {other}: "
                f"{input.shape[-1]} is not {inner}",
                argument=1,
            )
        try:
            leading = broadcast(input.shape[:-2], other.shape[:-2])
        except ValueError:
            raise ShapeError(
                f"MatMul takes leading dimensions that fit but its inputs are {input} and {other}", argument=1
            ) from None
        shape = (*leading, *input.shape[-2:-1], *(other.shape[-1:] if other.ndim > 1 else ()))
        return Spec(shape, input.kind)

    def flops(self, input: Spec, other: Spec) -> int:
        """A multiply-add for each element of the output and number in a row."""
        return 2 * self.infer(input, other).size * input.shape[-1]

    def scratch(self, input: Spec, other: Spec, *, training: bool) -> dict[str, Scratch]:
        """Room for gradients before they are summed over what was broadcast."""
        left, right, product = as_matrices(input.shape, other.shape)
        names = {}
        if training and left[:-2] != product[:-2]:
            names["left"] = Scratch((*product[:-2], *left[-2:]))
        if training and right[:-2] != product[:-2]:
            names["right"] = Scratch((*product[:-2], *right[-2:]))
        return names

    def bind(self, site: Site) -> Step:
        """One product forward, up to two backward."""
        shapes = as_matrices(*(array.shape for array in site.inputs))
        a, b, y = (array.reshape(s) for array, s in zip((*site.inputs, site.output), shapes, strict=True))

        def forward() -> None:
            np.matmul(a, b, out=y)

        if site.grad_output is None:
            return Step(forward)
        grad_y = site.grad_output.reshape(y.shape)
        grads = [
            None if grad is None else grad.reshape(s) for grad, s in zip(site.grad_inputs, shapes, strict=False)
        ]
        left, right = (site.scratch.get(name) for name in ("left", "right"))
        actions = _product(grad_y, b.mT, grads[0], left) + _product(a.mT, grad_y, grads[1], right)

        def backward() -> None:
            for action in actions:
                action()

        return Step(forward, backward)


def _product(left: Array, right: Array, grad: Array | None, room: Array | None) -> list[Action]:
    """grad = left @ right, by way of the room where it was broadcast; nothing where nobody needs it."""
    if grad is None:
        return []
    out = grad if room is None else room

    def product() -> None:
        np.matmul(left, right, out=out)

    return [product] if room is None else [product, summing(room, grad)]
