"""Embedding: a learned vector for each index."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Annotated, ClassVar, Literal, Self, final

import numpy as np
from pydantic import Field, NonNegativeInt, model_validator

from declnet.core.component import Action, Module, Parameter, Scratch, Site, Step
from declnet.core.laws import Law, Normal
from declnet.core.numerics import BLOCK
from declnet.core.registry import modules
from declnet.core.spec import Array, Spec
from declnet.core.threads import cut, side_by_side
from declnet.errors import DataError, ShapeError
from declnet.layers.segments import Segments
from declnet.records import record


@record
class _ZeroRow:
    """The draws of another law, and zeros in one row."""

    init: Law
    row: int

    def __call__(self, out: Array, rng: np.random.Generator) -> None:
        self.init(out, rng)
        out[self.row] = 0


@modules.register
@final
class Embedding(Module):
    """Looks up rows of a table: output[...] = weight[input[...]].

    The gradient of a row is the sum of the gradients of all places that looked it up. weight starts from
    N(0, 1), the row padding_idx from 0.

    Shape:
        input: (*), any shape, of integers from 0 to num_embeddings - 1. output: (*, embedding_dim).

    Parameters:
        num_embeddings: rows of the table: how many different indices there are.
        embedding_dim: length of each vector.
        padding_idx: an index whose row gets no gradient; negative counts from the end.
        max_norm: rows that are looked up and are longer than this are scaled down to it, in the table itself and
            in evaluation too. The gradient does not know of it.
        norm_type: the p of the p-norm that max_norm limits.
        scale_grad_by_freq: divide the gradient of a row by how often the batch looked it up.
        weight (learned): (num_embeddings, embedding_dim).

    Raises:
        ConfigError: padding_idx is not one of the indices.
        ShapeError: the input does not hold integers.
        DataError: an index is out of range, found when it is looked up.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Embedding.html
    """

    pytorch = "torch.nn.Embedding"
    refused: ClassVar[dict[str, str]] = {
        "sparse": "gradients are dense here, and so every optimizer takes them",
        "_weight": "PyTorch's own use; freeze and init belong to the node",
        "_freeze": "PyTorch's own use; freeze and init belong to the node",
    }
    saves: ClassVar[tuple[str, ...]] = ("input",)
    changes_parameters: ClassVar[bool] = True

    type: Literal["Embedding"] = "Embedding"
    num_embeddings: NonNegativeInt
    embedding_dim: NonNegativeInt
    padding_idx: int | None = None
    max_norm: Annotated[float, Field(allow_inf_nan=True)] | None = None
    norm_type: Annotated[float, Field(allow_inf_nan=True)] = 2.0
    scale_grad_by_freq: bool = False

    @model_validator(mode="after")
    def _padding_is_a_row(self) -> Self:
        rows = self.num_embeddings
        if self.padding_idx is not None and not -rows <= self.padding_idx < rows:
            raise ValueError(f"padding_idx must be {-rows} to {rows - 1}, got {self.padding_idx}")
        return self

    def infer(self, input: Spec) -> Spec:
        """(*) to (*, embedding_dim)."""
        if input.kind != "int":
            raise ShapeError(f"Embedding takes integers but its input holds {input.kind}s", argument=0)
        limited = input.size and self.max_norm is not None
        if limited and self.embedding_dim == 0 and (self.norm_type < 0 or self.norm_type == np.inf):
            raise ShapeError(
                f"Embedding cannot take the norm with norm_type = {self.norm_type:g} of nothing: "
                "embedding_dim is 0",
                field="norm_type",
            )
        return Spec((*input.shape, self.embedding_dim))

    def parameters(self, input: Spec) -> dict[str, Parameter]:
        """weight."""
        init: Law = Normal()
        if self.padding_idx is not None:
            init = _ZeroRow(init, self.padding_idx)
        return {"weight": Parameter((self.num_embeddings, self.embedding_dim), init)}

    def scratch(self, input: Spec, *, training: bool) -> dict[str, Scratch]:
        """Blocks of rows and their norms, where these are limited; in training what adds up gradients."""
        rows = len(range(input.size)[: self._rows_at_once])
        block, column = (rows, self.embedding_dim), (rows, 1)
        names: dict[str, Scratch] = {}
        if self.max_norm is not None:
            names |= {"power": Scratch(block), "norm": Scratch(column), "long": Scratch(column, "bool")}
        return names | (Segments.scratch(input.size, self.embedding_dim) if training else {})

    @property
    def _rows_at_once(self) -> int:
        return -(-BLOCK // max(1, self.embedding_dim))

    def _blocks(self, indices: Array, *arrays: Array) -> Iterator[tuple[Array, ...]]:
        """Cut indices, and arrays with a row for each, into blocks of rows."""
        for start in range(0, indices.size, self._rows_at_once):
            yield tuple(array[start : start + self._rows_at_once] for array in (indices, *arrays))

    def bind(self, site: Site) -> Step:
        """Check and gather; backward adds the gradients of each row up."""
        indices, weight = site.input.reshape(-1), site.params["weight"]
        y = site.output.reshape(indices.size, self.embedding_dim)
        lowest, highest = (np.zeros((), indices.dtype) for _ in range(2))
        limited = self.max_norm is not None and y.size > 0
        gather = side_by_side(
            [partial(_gather, weight, indices[lane], y[lane]) for lane in cut(len(y), 8 * y.shape[1])]
        )
        limits = [self._limit(site, *part) for part in self._blocks(indices, y)] if limited else []

        def forward() -> None:
            np.minimum.reduce(indices, out=lowest, initial=0)
            np.maximum.reduce(indices, out=highest, initial=-1)
            if lowest < 0 or highest >= len(weight):
                raise DataError(
                    f"Embedding has rows 0 to {len(weight) - 1} (num_embeddings is {len(weight)}), "
                    f"but is to look up row {lowest if lowest < 0 else highest}"
                )
            gather()
            for limit in limits:
                limit()

        grad_weight = site.grads.get("weight")
        if site.grad_output is None or grad_weight is None:
            return Step(forward)
        grad_y = site.grad_output.reshape(y.shape)
        segments = Segments(indices, grad_y, grad_weight, site.scratch, mean=self.scale_grad_by_freq)
        clear = side_by_side([partial(grad_weight[lane].fill, 0) for lane in cut(*grad_weight.shape)])

        def backward() -> None:
            clear()
            segments.add_up()
            if self.padding_idx is not None:
                grad_weight[self.padding_idx] = 0

        return Step(forward, backward)

    def _limit(self, site: Site, indices: Array, y: Array) -> Action:
        """Scale the rows that are too long, and put them back into the table. A row that is looked up twice is
        scaled and put back twice, from the same numbers to the same numbers.
        """
        weight = site.params["weight"]
        power, norm, long = (site.scratch[name][: len(y)] for name in ("power", "norm", "long"))
        largest, small = (np.array(value, weight.dtype) for value in (self.max_norm, 1e-7))  # 1e-7: PyTorch's

        def limit() -> None:
            np.absolute(y, out=power)
            p_norm(power, self.norm_type, norm)
            np.greater(norm, largest, out=long)
            np.add(norm, small, out=norm)
            np.divide(largest, norm, out=norm)
            np.multiply(y, norm, out=y, where=long)
            weight[indices] = y

        return limit


def _gather(table: Array, indices: Array, out: Array) -> None:
    """out = the rows of the table at these indices; `clip`, because the default mode would buffer them."""
    np.take(table, indices, axis=0, out=out, mode="clip")


def p_norm(absolute: Array, p: float, norm: Array) -> None:
    """The p-norm of each row of absolute values, which are overwritten."""
    if p in (np.inf, -np.inf):
        (np.maximum if p > 0 else np.minimum).reduce(absolute, axis=1, keepdims=True, out=norm)
    elif p == 0:
        np.not_equal(absolute, 0, out=absolute)
        np.add.reduce(absolute, axis=1, keepdims=True, out=norm)
    else:
        np.power(absolute, p, out=absolute)
        np.add.reduce(absolute, axis=1, keepdims=True, out=norm)
        np.power(norm, 1 / p, out=norm)
