"""Bilinear: an affine map of each input while the other is held."""

from __future__ import annotations

import math
from functools import partial
from typing import ClassVar, Final, Literal, Self, final

import numpy as np
from pydantic import NonNegativeInt, PositiveInt

from declnet.core.component import Module, Parameter, Scratch, Site, Step
from declnet.core.laws import Uniform
from declnet.core.numerics import row_sums
from declnet.core.registry import modules
from declnet.core.spec import Spec
from declnet.core.threads import cut, side_by_side
from declnet.errors import ShapeError

PASSES: Final = 4
"""Over each number of the middle, apart from matrix products."""

MULTIPLY: Final = 16
"""Multiply-adds of a matrix product that take as long as one pass (measured)."""


@modules.register
@final
class Bilinear(Module):
    """Bilinear map of two inputs: output[o] = input1 @ weight[o] @ input2 + bias[o].

    weight and bias start from U(-k, k) with k = 1 / sqrt(in1_features).

    Shape:
        input1: (*, in1_features). input2: (*, in2_features), with the same leading dimensions, any number of them,
            also none. output: (*, out_features).

    Parameters:
        in1_features: size of the first input's last dimension; inferred when left out, checked when given.
        in2_features: size of the second input's last dimension; inferred when left out, checked when given.
        out_features: size of the output's last dimension.
        bias: whether to add a learnable bias.
        weight (learned): (out_features, in1_features, in2_features).
        bias (learned): (out_features,).

    Raises:
        ShapeError: an input is not floating point, has no dimension or no features, or its last dimension is not
            what in1_features or in2_features says; or the leading dimensions differ.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Bilinear.html
    """

    pytorch = "torch.nn.Bilinear"
    saves: ClassVar[tuple[str, ...]] = ("input1", "input2")

    type: Literal["Bilinear"] = "Bilinear"
    in1_features: PositiveInt | None = None
    in2_features: PositiveInt | None = None
    out_features: NonNegativeInt
    bias: bool = True

    def infer(self, input1: Spec, input2: Spec) -> Spec:
        """(*, in1_features) and (*, in2_features) to (*, out_features)."""
        self.require_float(input1, input2)
        for argument, spec in enumerate((input1, input2)):
            field = f"in{argument + 1}_features"
            given = getattr(self, field)
            if spec.ndim == 0 or spec.shape[-1] == 0:
                raise ShapeError(
                    f"Bilinear takes (*, {field}) but its input{argument + 1} is {spec}", argument=argument
                )
            if given not in (None, spec.shape[-1]):
                raise ShapeError(
                    f"Bilinear takes {given} features but its input{argument + 1} has {spec.shape[-1]}",
                    field=field,
                    argument=argument,
                )
        if input1.shape[:-1] != input2.shape[:-1]:
            raise ShapeError(
                f"Bilinear takes inputs that differ only in their last dimension, but gets {input1} and {input2}",
                argument=1,
            )
        return Spec((*input1.shape[:-1], self.out_features))

    def complete(self, input1: Spec, input2: Spec) -> Self:
        """Fill in in1_features and in2_features."""
        return self.model_copy(update={"in1_features": input1.shape[-1], "in2_features": input2.shape[-1]})

    def parameters(self, input1: Spec, input2: Spec) -> dict[str, Parameter]:
        """weight, then bias."""
        shape = (self.out_features, input1.shape[-1], input2.shape[-1])
        bound = 1 / math.sqrt(input1.shape[-1])
        init = Uniform(-bound, bound)
        weight = {"weight": Parameter(shape, init)}
        return weight | {"bias": Parameter(shape[:1], init)} if self.bias else weight

    def flops(self, input1: Spec, input2: Spec) -> int:
        """A multiply-add for each weight and row, then one for each feature of the second input, and the bias."""
        rows = math.prod(input1.shape[:-1])
        return rows * self.out_features * (2 * (input1.shape[-1] + 1) * input2.shape[-1] + self.bias)

    def product(self, input1: Spec, input2: Spec) -> int:
        """None for OpenBLAS to share: its threads, which spin for more, would slow down ours."""
        return 0

    def scratch(self, input1: Spec, input2: Spec, *, training: bool) -> dict[str, Scratch]:
        """The weight with in1_features first, its product with input1; in backward the gradient of that."""
        rows, middle = math.prod(input1.shape[:-1]), (self.out_features, input2.shape[-1])
        names = {"weight": Scratch((input1.shape[-1], *middle), saved=training)}
        names |= {"half": Scratch((rows, *middle), saved=training)}
        return names | ({"grad_half": Scratch((rows, *middle))} if training else {})

    def bind(self, site: Site) -> Step:
        """half = input1 @ weight, output = half @ input2: one product for all outputs, then one for each row."""
        half, weight = site.scratch["half"], site.scratch["weight"]  # (rows or in1_features, outputs, in2_features)
        rows, (inputs, outputs, width) = len(half), weight.shape
        x1, x2 = site.inputs[0].reshape(rows, inputs), site.inputs[1].reshape(rows, width)
        y = site.output.reshape(rows, outputs)
        half_matrix, weight_matrix = half.reshape(rows, outputs * width), weight.reshape(inputs, outputs * width)
        inputs_first, bias = site.params["weight"].swapaxes(0, 1), site.params.get("bias")
        lanes = cut(rows, outputs * width * (PASSES + inputs // MULTIPLY))

        def multiply(lane: slice) -> None:
            np.dot(x1[lane], weight_matrix, half_matrix[lane])
            np.matmul(half[lane], x2[lane, :, None], out=y[lane, :, None])
            if bias is not None:
                np.add(y[lane], bias, out=y[lane])

        products = side_by_side([partial(multiply, lane) for lane in lanes])

        def forward() -> None:
            np.copyto(weight, inputs_first)
            products()

        if site.grad_output is None:
            return Step(forward)
        grad_y, grad_half = site.grad_output.reshape(y.shape), site.scratch["grad_half"]
        grad_half_matrix = grad_half.reshape(half_matrix.shape)
        grad_x1, grad_x2 = (None if g is None else g.reshape(rows, g.shape[-1]) for g in site.grad_inputs)
        grad_weight, grad_bias = site.grads["weight"], site.grads.get("bias")
        sum_rows = None if grad_bias is None else row_sums(grad_y[None], grad_bias[None])

        def pull(lane: slice) -> None:
            np.multiply(grad_y[lane, :, None], x2[lane, None], out=grad_half[lane])
            if grad_x1 is not None:
                np.dot(grad_half_matrix[lane], weight_matrix.T, grad_x1[lane])
            if grad_x2 is not None:
                np.matmul(grad_y[lane, None], half[lane], out=grad_x2[lane, None])

        def learn(lane: slice) -> None:  # nobody needs the weight any more
            np.dot(x1.T[lane], grad_half_matrix, weight_matrix[lane])

        pulls = side_by_side([partial(pull, lane) for lane in lanes])
        learns = side_by_side([partial(learn, lane) for lane in cut(inputs, outputs * width * (rows // MULTIPLY))])

        def backward() -> None:
            pulls()
            if grad_weight is not None:
                learns()
                np.copyto(grad_weight, weight.swapaxes(0, 1))
            if sum_rows is not None:
                sum_rows()

        return Step(forward, backward)
