"""Add, Sub, Mul: element by element, with broadcasting."""

from __future__ import annotations

from typing import ClassVar, Literal, final

import numpy as np

from declnet.core.component import Module, Scratch, Site, Step
from declnet.core.numerics import fold, summing
from declnet.core.registry import modules
from declnet.core.spec import Spec, broadcast, promoted
from declnet.errors import ShapeError


def common(module: Module, *inputs: Spec) -> Spec:
    """The common shape and kind: sizes are compared from the last to the first, and 1 fits any other."""
    shape: tuple[int, ...] = ()
    for argument, spec in enumerate(inputs):
        try:
            shape = broadcast(shape, spec.shape)
        except ValueError:
            raise ShapeError(
                f"{type(module).__name__} takes inputs whose shapes fit but one is {spec} after {Spec(shape)}",
                argument=argument,
            ) from None
    return Spec(shape, promoted(spec.kind for spec in inputs))


@modules.register
@final
class Add(Module):
    """Sum: output = inputs[0] + inputs[1] + ..., element by element.

    Shape:
        inputs: shapes that fit: compared from the last dimension to the first, sizes are equal or one of them
            is 1 or missing, and repeats. output: their common shape; floats where one holds
            floats, else integers, else booleans.

    Parameters:
        none.

    Raises:
        ShapeError: the shapes do not fit.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.add.html
    """

    type: Literal["Add"] = "Add"

    def infer(self, *inputs: Spec) -> Spec:
        """The common shape."""
        return common(self, *inputs)

    def flops(self, *inputs: Spec) -> int:
        """An addition for each element and input but the first."""
        return max(1, len(inputs) - 1) * self.infer(*inputs).size

    def bind(self, site: Site) -> Step:
        """Sum; backward: the gradient, to each."""
        forward = fold(np.add, site.inputs, site.output)
        if site.grad_output is None:
            return Step(forward)
        actions = [summing(site.grad_output, grad) for grad in site.grad_inputs if grad is not None]

        def backward() -> None:
            for action in actions:
                action()

        return Step(forward, backward)


@modules.register
@final
class Sub(Module):
    """Difference: output = input - other, element by element.

    Shape:
        input, other: shapes that fit: compared from the last dimension to the first, sizes are equal or one of
            them is 1 or missing, and repeats. output: their common shape; floats where one holds floats, else
            integers.

    Parameters:
        none.

    Raises:
        ShapeError: the shapes do not fit, or an input holds booleans.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.sub.html
    """

    type: Literal["Sub"] = "Sub"

    def infer(self, input: Spec, other: Spec) -> Spec:
        """The common shape."""
        for argument, spec in enumerate((input, other)):
            if spec.kind == "bool":
                raise ShapeError(
                    f"Sub takes numbers but its {('input', 'other')[argument]} holds bools", argument=argument
                )
        return common(self, input, other)

    def bind(self, site: Site) -> Step:
        """Subtract; backward: the gradient to the one, its negative to the other."""
        forward = fold(np.subtract, site.inputs, site.output)
        if site.grad_output is None:
            return Step(forward)
        grads = [grad for grad in site.grad_inputs if grad is not None]
        actions = [summing(site.grad_output, grad) for grad in grads]
        grad_other = site.grad_inputs[1]

        def backward() -> None:
            for action in actions:
                action()
            if grad_other is not None:
                np.negative(grad_other, out=grad_other)

        return Step(forward, backward)


@modules.register
@final
class Mul(Module):
    """Product: output = inputs[0] * inputs[1] * ..., element by element.

    Shape:
        inputs: shapes that fit: compared from the last dimension to the first, sizes are equal or one of them
            is 1 or missing, and repeats. output: their common shape; floats where one holds
            floats, else integers, else booleans.

    Parameters:
        none.

    Raises:
        ShapeError: the shapes do not fit.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.mul.html
    """

    saves: ClassVar[tuple[str, ...]] = ("inputs",)

    type: Literal["Mul"] = "Mul"

    def infer(self, *inputs: Spec) -> Spec:
        """The common shape."""
        return common(self, *inputs)

    def flops(self, *inputs: Spec) -> int:
        """A product for each element and input but the first."""
        return max(1, len(inputs) - 1) * self.infer(*inputs).size

    def scratch(self, *inputs: Spec, training: bool) -> dict[str, Scratch]:
        """Room for a gradient before it is summed over what was broadcast."""
        output = self.infer(*inputs)
        return {"product": Scratch(output.shape)} if training and any(i != output for i in inputs) else {}

    def bind(self, site: Site) -> Step:
        """Multiply; backward: the gradient times all the others, to each."""
        forward = fold(np.multiply, site.inputs, site.output)
        if site.grad_output is None:
            return Step(forward)
        actions = []
        for index, grad in enumerate(site.grad_inputs):
            if grad is not None:
                same = grad.shape == site.output.shape
                out = grad if same else site.scratch["product"]
                others = site.inputs[:index] + site.inputs[index + 1 :]
                actions.append(fold(np.multiply, [site.grad_output, *others], out))
                actions += [] if same else [summing(out, grad)]

        def backward() -> None:
            for action in actions:
                action()

        return Step(forward, backward)
