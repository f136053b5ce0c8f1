"""Identity, Unflatten, Reshape: the same numbers, perhaps in another shape. Nothing is computed: the output is the
input's memory.
"""

from __future__ import annotations

import math
from abc import ABC
from typing import Annotated, ClassVar, Literal, final

from pydantic import AfterValidator, Field

from declnet.core.component import Alias, Module
from declnet.core.registry import modules
from declnet.core.spec import Spec
from declnet.errors import ShapeError


def _one_unknown(sizes: tuple[int, ...]) -> tuple[int, ...]:
    if sizes.count(-1) > 1:
        raise ValueError("only one size may be -1, to be found from the others")
    return sizes


Sizes = Annotated[tuple[Annotated[int, Field(ge=-1)], ...], AfterValidator(_one_unknown)]
"""Sizes of dimensions, one of which may be left to be found."""


def fill(sizes: tuple[int, ...], total: int) -> tuple[int, ...] | None:
    """The sizes, with -1 as what makes their product the total; None where nothing does."""
    known = math.prod(size for size in sizes if size != -1)
    if -1 not in sizes:
        return sizes if known == total else None
    if known == 0 or total % known:
        return None
    return tuple(total // known if size == -1 else size for size in sizes)


class View(Module, ABC):
    """A module whose output is its input's memory."""

    def alias(self, *, training: bool) -> Alias:
        """The input's memory."""
        return "reshape"


@modules.register
@final
class Identity(View):
    """Nothing: output = input. A name for a value, or a place that is left empty.

    Shape:
        input: (*), any shape and kind of number. output: the same.

    Parameters:
        none.

    Raises:
        nothing.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Identity.html
    """

    pytorch = "torch.nn.Identity"
    refused: ClassVar[dict[str, str]] = {"args": "Identity has no arguments; PyTorch drops whatever it is given"}

    type: Literal["Identity"] = "Identity"

    def infer(self, input: Spec) -> Spec:
        """Anything."""
        return input


@modules.register
@final
class Unflatten(View):
    """Divides one dimension into several. No data move: the same memory in another shape.

    Shape:
        input: (*, S_dim, *). output: (*, U_1, ..., U_n, *), with U = unflattened_size, whose product is S_dim.

    Parameters:
        dim: the dimension to divide; negative counts from the end.
        unflattened_size: the sizes it becomes; one of them may be -1, and is found from the others.

    Raises:
        ShapeError: the input has no such dimension, or its size is not the product.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Unflatten.html
    """

    pytorch = "torch.nn.Unflatten"

    type: Literal["Unflatten"] = "Unflatten"
    dim: int
    unflattened_size: Annotated[Sizes, Field(min_length=1)]

    def infer(self, input: Spec) -> Spec:
        """Put the sizes in the dimension's place."""
        if input.ndim == 0:
            raise ShapeError("Unflatten divides a dimension but its input is a single number", argument=0)
        dim = self.require_dim("dim", self.dim, input)
        shape = input.shape
        sizes = fill(self.unflattened_size, shape[dim])
        if sizes is None:
            raise ShapeError(
                f"Unflatten cannot divide dimension {self.dim} of its input {input} into "
                f"{Spec(self.unflattened_size)}: its size is {shape[dim]}",
                field="unflattened_size",
                argument=0,
            )
        return Spec((*shape[:dim], *sizes, *shape[dim + 1 :]), input.kind)


@modules.register
@final
class Reshape(View):
    """Gives each sample another shape. No data move: the same memory in another shape.

    Unlike torch.reshape it leaves the batch dimension alone, whose size is not the config's to say: a shape of
    [8, 8, 1] makes (N, 64) into (N, 8, 8, 1).

    Shape:
        input: (N, *). output: (N, *shape), as many numbers in each sample.

    Parameters:
        shape: the sizes after the batch dimension; one of them may be -1, and is found from the others.

    Raises:
        ShapeError: the input has no dimension, or its samples hold another number of numbers.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.reshape.html
    """

    type: Literal["Reshape"] = "Reshape"
    shape: Sizes

    def infer(self, input: Spec) -> Spec:
        """The batch dimension, then the sizes."""
        if input.ndim == 0:
            raise ShapeError("Reshape takes (N, *) but its input is a single number", argument=0)
        total = math.prod(input.shape[1:])
        sizes = fill(self.shape, total)
        if sizes is None:
            raise ShapeError(
                f"Reshape cannot make {Spec(self.shape)} of the samples of its input {input}, which hold "
                f"{total} numbers each",
                field="shape",
                argument=0,
            )
        return Spec((input.shape[0], *sizes), input.kind)
