"""LayerNorm and RMSNorm: over the last dimensions."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal, final

import numpy as np
from pydantic import Field, NonNegativeInt

from declnet.core.component import Alias, Module, Parameter, Scratch, Site, Step
from declnet.core.registry import modules
from declnet.core.spec import Spec
from declnet.errors import ShapeError
from declnet.normalization.kernel import bind
from declnet.normalization.view import View, weight_and_bias

NormalizedShape = NonNegativeInt | Annotated[tuple[NonNegativeInt, ...], Field(min_length=1)]


def as_tuple(normalized_shape: NormalizedShape) -> tuple[int, ...]:
    """A single number is the size of the last dimension."""
    return (normalized_shape,) if isinstance(normalized_shape, int) else normalized_shape


def check(module: Module, normalized_shape: NormalizedShape, input: Spec) -> None:
    """Refuse an input that does not end in these sizes."""
    module.require_float(input)
    last = as_tuple(normalized_shape)
    if input.shape[-len(last) :] != last:
        raise ShapeError(
            f"{type(module).__name__} normalises over last dimensions {Spec(last)} but its input is {input}",
            field="normalized_shape",
            argument=0,
        )


def view(normalized_shape: NormalizedShape, shape: tuple[int, ...], *, centred: bool) -> View:
    """Each sample is one group, in which every number is a channel of its own."""
    last = as_tuple(normalized_shape)
    return View(math.prod(shape[: -len(last)]), 1, math.prod(last), 1, centred=centred)


@modules.register
@final
class LayerNorm(Module):
    """Normalises each sample over its last dimensions: output = (input - mean) / sqrt(var + eps) * weight + bias.

    mean and var (the biased one) are those of the sample's own numbers, in training and in evaluation. weight
    starts as ones, bias as zeros, one for each number of a sample.

    Shape:
        input: (*, normalized_shape), any number of leading dimensions, also none. output: the same.

    Parameters:
        normalized_shape: sizes of the last dimensions, which are normalised together; a single number is the
            size of the last one.
        eps: added to the variance.
        elementwise_affine: whether to learn weight and bias.
        bias: whether to learn the bias too.
        weight (learned): normalized_shape.
        bias (learned): normalized_shape.

    Raises:
        ShapeError: the input is not floating point, or does not end in normalized_shape.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.LayerNorm.html;
        Ba et al., "Layer Normalization", 2016.
    """

    pytorch = "torch.nn.LayerNorm"
    saves: ClassVar[tuple[str, ...]] = ("input",)

    type: Literal["LayerNorm"] = "LayerNorm"
    normalized_shape: NormalizedShape
    eps: float = 1e-5
    elementwise_affine: bool = True
    bias: bool = True

    def infer(self, input: Spec) -> Spec:
        """Any shape that ends in normalized_shape."""
        check(self, self.normalized_shape, input)
        return input

    def parameters(self, input: Spec) -> dict[str, Parameter]:
        """weight, then bias."""
        return weight_and_bias(as_tuple(self.normalized_shape), weight=self.elementwise_affine, bias=self.bias)

    def alias(self, *, training: bool) -> Alias:
        """Backward reads the input."""
        return "new" if training else "in_place"

    def scratch(self, input: Spec, *, training: bool) -> dict[str, Scratch]:
        """What the kernel needs."""
        return view(self.normalized_shape, input.shape, centred=True).scratch(training=training)

    def flops(self, input: Spec) -> int:
        """Sum, difference, square, sum, product, addition: six for each element."""
        return 6 * input.size

    def bind(self, site: Site) -> Step:
        """The kernel."""
        return bind(site, view(self.normalized_shape, site.input.shape, centred=True), self.eps)


@modules.register
@final
class RMSNorm(Module):
    """Divides each sample by its root mean square: output = input / sqrt(mean(input²) + eps) * weight.

    The mean is that over the sample's last dimensions, in training and in evaluation. weight starts as ones,
    one for each number of a sample.

    Shape:
        input: (*, normalized_shape), any number of leading dimensions, also none. output: the same.

    Parameters:
        normalized_shape: sizes of the last dimensions, which are normalised together; a single number is the
            size of the last one.
        eps: added to the mean square; left out, the distance from 1 to the next number of the config's dtype.
        elementwise_affine: whether to learn a weight.
        weight (learned): normalized_shape.

    Raises:
        ShapeError: the input is not floating point, or does not end in normalized_shape.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.RMSNorm.html;
        Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019.
    """

    pytorch = "torch.nn.RMSNorm"
    saves: ClassVar[tuple[str, ...]] = ("input",)

    type: Literal["RMSNorm"] = "RMSNorm"
    normalized_shape: NormalizedShape
    eps: float | None = None
    elementwise_affine: bool = True

    def infer(self, input: Spec) -> Spec:
        """Any shape that ends in normalized_shape."""
        check(self, self.normalized_shape, input)
        return input

    def parameters(self, input: Spec) -> dict[str, Parameter]:
        """weight."""
        return weight_and_bias(as_tuple(self.normalized_shape), weight=self.elementwise_affine, bias=False)

    def alias(self, *, training: bool) -> Alias:
        """Backward reads the input."""
        return "new" if training else "in_place"

    def scratch(self, input: Spec, *, training: bool) -> dict[str, Scratch]:
        """What the kernel needs."""
        return view(self.normalized_shape, input.shape, centred=False).scratch(training=training)

    def flops(self, input: Spec) -> int:
        """Square, sum, two products: four for each element."""
        return 4 * input.size

    def bind(self, site: Site) -> Step:
        """The kernel without a mean."""
        eps = float(np.finfo(site.input.dtype).eps) if self.eps is None else self.eps
        return bind(site, view(self.normalized_shape, site.input.shape, centred=False), eps)
