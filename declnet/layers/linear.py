"""Linear: the affine map."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, Self, final

import numpy as np
from pydantic import PositiveInt

from declnet.core.component import Module, Parameter, Site, Step
from declnet.core.laws import fan_in_uniform
from declnet.core.numerics import row_sums
from declnet.core.registry import modules
from declnet.core.spec import Spec
from declnet.errors import ShapeError


@modules.register
@final
class Linear(Module):
    """Affine map: output = input @ weight.T + bias.

    weight and bias start from U(-k, k) with k = 1 / sqrt(in_features).

    Shape:
        input: (*, in_features), any number of leading dimensions, also none.
        output: (*, out_features).

    Parameters:
        in_features: size of the input's last dimension; inferred when left out, checked when given.
        out_features: size of the output's last dimension.
        bias: whether to add a learnable bias.
        weight (learned): (out_features, in_features).
        bias (learned): (out_features,).

    Raises:
        ShapeError: the input is not floating point, has no dimension, or its last one is not in_features.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Linear.html
    """

    pytorch = "torch.nn.Linear"
    saves: ClassVar[tuple[str, ...]] = ("input",)

    type: Literal["Linear"] = "Linear"
    in_features: PositiveInt | None = None
    out_features: PositiveInt
    bias: bool = True

    def infer(self, input: Spec) -> Spec:
        """(*, in_features) to (*, out_features)."""
        self.require_float(input)
        if input.ndim == 0:
            raise ShapeError("Linear takes (*, in_features) but its input is a single number", argument=0)
        width = input.shape[-1]
        if width == 0:
            raise ShapeError("Linear takes at least one feature but its input has none", argument=0)
        if self.in_features not in (None, width):
            raise ShapeError(
                f"Linear takes {self.in_features} features but its input has {width}",
                field="in_features",
                argument=0,
            )
        return Spec((*input.shape[:-1], self.out_features))

    def complete(self, input: Spec) -> Self:
        """Fill in in_features."""
        return self.model_copy(update={"in_features": input.shape[-1]})

    def parameters(self, input: Spec) -> dict[str, Parameter]:
        """weight, then bias."""
        shape = (self.out_features, input.shape[-1])
        init = fan_in_uniform(shape)
        weight = {"weight": Parameter(shape, init)}
        return weight | {"bias": Parameter(shape[:1], init)} if self.bias else weight

    def flops(self, input: Spec) -> int:
        """A multiply-add for each weight and row, an addition for each bias and row."""
        rows = input.size // input.shape[-1] if input.size else 0
        return rows * self.out_features * (2 * input.shape[-1] + self.bias)

    def bind(self, site: Site) -> Step:
        """One GEMM forward, up to two backward: by `np.dot`, which is called faster than `np.matmul`."""
        weight = site.params["weight"]
        bias = site.params.get("bias")
        rows = math.prod(site.input.shape[:-1])
        x = site.input.reshape(rows, weight.shape[1])
        y = site.output.reshape(rows, weight.shape[0])
        weight_t = weight.T

        def forward() -> None:
            np.dot(x, weight_t, y)
            if bias is not None:
                np.add(y, bias, y)

        if site.grad_output is None:
            return Step(forward)

        grad_y = site.grad_output.reshape(y.shape)
        grad_y_t = grad_y.T
        grad_x = None if site.grad_input is None else site.grad_input.reshape(x.shape)
        grad_weight, grad_bias = site.grads["weight"], site.grads.get("bias")
        sum_rows = None if grad_bias is None else row_sums(grad_y[None], grad_bias[None])

        def backward() -> None:
            if grad_weight is not None:
                np.dot(grad_y_t, x, grad_weight)
            if sum_rows is not None:
                sum_rows()
            if grad_x is not None:
                np.dot(grad_y, weight, grad_x)

        return Step(forward, backward)
