"""NLLLoss."""

from __future__ import annotations

from typing import ClassVar, Literal, Self, final

import numpy as np

from declnet.core.component import Loss, Scratch, Site, Step
from declnet.core.registry import losses
from declnet.core.spec import Array, Spec
from declnet.losses.class_targets import (
    ClassTargets,
    balanced_weights,
    check_classes,
    class_dims,
    count_classes,
    require_classes,
    require_indices,
)
from declnet.losses.reduction import DEPRECATED, Reducer, Reduction, each_scratch, reduced


@losses.register
@final
class NLLLoss(Loss):
    """Negative log-likelihood of classes: loss = -w_y * input_y, where the input is log-probabilities.

    `mean` divides by the summed weights of the targets that count. With LogSoftmax before it, it is
    CrossEntropyLoss.

    Shape:
        input: (C), (N, C) or (N, C, d1, ..., dK): log-probabilities, the classes in dimension 1 (0 where
        unbatched). target: class indices, the input's shape without C, each 0 to C - 1 or ignore_index.
        output: (), or the target's shape where reduction is none. The loss is in nats.

    Parameters:
        weight: one weight for each class.
        ignore_index: a target that counts neither in the loss nor in the mean.
        reduction: mean, sum or none.

    Raises:
        ShapeError: shapes don't fit, weight has not one number a class, or the target is not of integers.
        DataError: a class index is out of range.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.NLLLoss.html
    """

    pytorch = "torch.nn.NLLLoss"
    refused: ClassVar[dict[str, str]] = DEPRECATED
    balances: ClassVar[str] = "weight"

    type: Literal["NLLLoss"] = "NLLLoss"
    weight: tuple[float, ...] | None = None
    ignore_index: int = -100
    reduction: Reduction = "mean"

    def infer(self, input: Spec, target: Spec) -> Spec:
        """Log-probabilities with class indices."""
        require_classes(self, input, self.weight, "log-probabilities")
        require_indices(self, input, target)
        return reduced(self.reduction, target.shape)

    def check_target(self, input: Spec, target: Array) -> None:
        """Refuse class indices out of range; `target` holds rows first."""
        check_classes(input, target, self.ignore_index)

    def count_classes(self, input: Spec, target: Array) -> Array:
        """How often each class is there."""
        return count_classes(input, target, self.ignore_index)

    def balanced(self, counts: Array) -> Self:
        """With a weight for each class."""
        return self.model_copy(update={"weight": balanced_weights(counts)})

    def flops(self, input: Spec, target: Spec) -> int:
        """Choice and product: two for each target."""
        return 2 * target.size

    def scratch(self, input: Spec, target: Spec, *, training: bool) -> dict[str, Scratch]:
        """What the indices need."""
        rows, _, inner = class_dims(input.shape)
        return ClassTargets.scratch(input.shape, training=training) | each_scratch(self.reduction, (rows, 1, inner))

    def bind(self, site: Site) -> Step:
        """Gather and weigh; backward: -weight at the target, 0 elsewhere."""
        x = site.input.reshape(-1)
        targets = ClassTargets(site, self.weight, self.ignore_index)
        reducer = Reducer(self.reduction, site, targets.row.shape, targets.total)
        each, row, index = reducer.each, targets.row, targets.index

        def forward() -> None:
            targets.read()
            x.take(index, None, row, "clip")
            np.negative(row, each)
            targets.weigh(each)
            reducer.forward()

        if site.grad_output is None or site.grad_input is None:
            return Step(forward)
        grad_x = site.grad_input.reshape(-1)

        def backward() -> None:
            reducer.backward()
            np.negative(targets.pull(reducer.factor), row)
            grad_x.fill(0)
            grad_x.put(index, row, "clip")

        return Step(forward, backward)
