"""CrossEntropyLoss."""

from __future__ import annotations

from functools import partial
from typing import Annotated, ClassVar, Literal, Self, final

import numpy as np
from pydantic import Field

from declnet.core.component import Action, Loss, Scratch, Site, Step
from declnet.core.numerics import row_sums
from declnet.core.registry import losses
from declnet.core.spec import Array, Spec
from declnet.errors import ShapeError
from declnet.losses.class_targets import (
    ClassTargets,
    balanced_weights,
    check_classes,
    class_dims,
    count_classes,
    index_shape,
    require_classes,
    require_indices,
)
from declnet.losses.elements import over_rows
from declnet.losses.reduction import DEPRECATED, Reducer, Reduction, each_scratch, reduced


@losses.register
@final
class CrossEntropyLoss(Loss):
    """Cross entropy of logits against classes: loss = -w_y * log(softmax(input)_y).

    With label smoothing e, the target gives 1 - e to its class and e / C to every class. `mean` divides by
    the summed weights of the targets that count; for class probabilities by the number of targets. The
    largest logit is taken out first, so nothing overflows.

    Shape:
        input: (C), (N, C) or (N, C, d1, ..., dK): logits, the classes in dimension 1 (0 where unbatched).
        target: class indices, the input's shape without C, each 0 to C - 1 or ignore_index; or class
        probabilities, the input's shape. output: (), or the indices' shape where reduction is none.
        The loss is in nats.

    Parameters:
        weight: one weight for each class.
        ignore_index: a target that counts neither in the loss nor in the mean; class indices only.
        reduction: mean, sum or none.
        label_smoothing: share of the target spread over all classes, 0 to 1; below 0 it is taken for 0, as PyTorch
            does.

    Raises:
        ShapeError: shapes don't fit, weight has not one number a class, or the target is floating point
            in the shape of class indices; ignore_index is not negative where it holds class probabilities.
        DataError: a class index is out of range.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.CrossEntropyLoss.html;
        label smoothing: Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", 2015.
    """

    pytorch = "torch.nn.CrossEntropyLoss"
    refused: ClassVar[dict[str, str]] = DEPRECATED
    balances: ClassVar[str] = "weight"

    type: Literal["CrossEntropyLoss"] = "CrossEntropyLoss"
    weight: tuple[float, ...] | None = None
    ignore_index: int = -100
    reduction: Reduction = "mean"
    label_smoothing: Annotated[float, Field(le=1)] = 0.0

    @property
    def _smoothing(self) -> float:
        return max(0.0, self.label_smoothing)

    def infer(self, input: Spec, target: Spec) -> Spec:
        """Logits with class indices or probabilities."""
        require_classes(self, input, self.weight, "logits")
        if target.kind != "float" or target.shape != input.shape:
            require_indices(self, input, target, f" or class probabilities {input}")
        elif self.ignore_index >= 0:
            raise ShapeError(
                "ignore_index is for class indices but the target holds class probabilities",
                field="ignore_index",
                argument=1,
            )
        return reduced(self.reduction, index_shape(input.shape))

    def check_target(self, input: Spec, target: Array) -> None:
        """Refuse class indices out of range; `target` holds rows first."""
        if target.dtype.kind == "i":
            check_classes(input, target, self.ignore_index)

    def count_classes(self, input: Spec, target: Array) -> Array:
        """How often each class is there."""
        return count_classes(input, target, self.ignore_index)

    def balanced(self, counts: Array) -> Self:
        """With a weight for each class."""
        return self.model_copy(update={"weight": balanced_weights(counts)})

    def flops(self, input: Spec, target: Spec) -> int:
        """Maximum, subtraction, exponential, sum and choice: five for each logit."""
        return 5 * input.size

    def scratch(self, input: Spec, target: Spec, *, training: bool) -> dict[str, Scratch]:
        """Exponentials and their sums, which backward reads, and what the form needs."""
        rows, classes, inner = class_dims(input.shape)
        full, row = (rows, classes, inner), (rows, 1, inner)
        names = {
            "exp": Scratch(full, saved=training),
            "sum": Scratch(row, saved=training),
            "max": Scratch(row),
        }
        names |= each_scratch(self.reduction, row)
        if target.kind == "int":
            names |= ClassTargets.scratch(input.shape, training=training)
        if target.kind == "float" or self._smoothing:
            names |= {"share": Scratch(full, saved=training), "product": Scratch(full)}
            names |= {"log_softmax": Scratch(full, saved=training)}
        return names

    def bind(self, site: Site) -> Step:
        """Indices without smoothing are gathered; everything else is a share of the target for each class."""
        if site.inputs[1].dtype.kind == "f":
            return self._bind_shares(site, None)
        targets = ClassTargets(site, self.weight, self.ignore_index)
        return self._bind_shares(site, targets) if self._smoothing else self._bind_indices(site, targets)

    def _bind_indices(self, site: Site, targets: ClassTargets) -> Step:
        """Forward: log(sum) - shifted input at the target; backward: softmax, less 1 at the target."""
        exp, total, largest = (site.scratch[name] for name in ("exp", "sum", "max"))
        x = site.input.reshape(exp.shape)
        flat = exp.reshape(-1)
        reducer = Reducer(self.reduction, site, total.shape, targets.total)
        each, row, index = reducer.each, targets.row, targets.index

        def exponentials(rows: slice) -> Action:
            arrays = (array[rows] for array in (x, exp, largest, total, index, row))
            own_x, own_exp, own_largest, own_total, own_index, own_row = arrays
            add_up = row_sums(own_exp, own_total[:, 0])

            def run() -> None:
                np.maximum.reduce(own_x, 1, out=own_largest, keepdims=True)
                np.subtract(own_x, own_largest, own_exp)
                flat.take(own_index, None, own_row, "clip")
                np.exp(own_exp, own_exp)
                add_up()

            return run

        all_exponentials = over_rows(exponentials, exp.shape, passes=30)

        def forward() -> None:
            targets.read()
            all_exponentials()
            np.log(total, each)
            np.subtract(each, row, each)
            targets.weigh(each)
            reducer.forward()

        if site.grad_output is None or site.grad_inputs[0] is None:
            return Step(forward)
        grad_x = site.grad_inputs[0].reshape(exp.shape)
        grad_flat = grad_x.reshape(-1)
        scale = over_rows(
            lambda rows: partial(np.multiply, exp[rows], row[rows], grad_x[rows]), exp.shape, passes=1
        )

        def backward() -> None:
            reducer.backward()
            pull = targets.pull(reducer.factor)
            np.divide(pull, total, row)
            scale()
            grad_flat.take(index, None, row, "clip")
            np.subtract(row, pull, row)
            grad_flat.put(index, row, "clip")

        return Step(forward, backward)

    def _bind_shares(self, site: Site, targets: ClassTargets | None) -> Step:
        """Forward: -sum(share * log_softmax) over classes; backward: softmax * sum(share) - share."""
        exp, total, largest = (site.scratch[name] for name in ("exp", "sum", "max"))
        share, log_softmax, product = (site.scratch[name] for name in ("share", "log_softmax", "product"))
        x = site.input.reshape(exp.shape)
        rows, _, inner = exp.shape
        count = np.array(rows * inner, x.dtype) if targets is None else targets.total
        reducer = Reducer(self.reduction, site, total.shape, count)
        read = self._bind_probabilities(site) if targets is None else self._bind_smoothed(share, targets)
        flat, zero = log_softmax.reshape(-1), np.array(0, x.dtype)

        def lose() -> None:
            """With smoothing 1 the target's own part is 0 times its loss, which is NaN where that is infinite."""
            if targets is not None and self._smoothing == 1:
                np.take(flat, targets.index, out=targets.row, mode="clip")
                np.multiply(targets.row, zero, out=targets.row)
                np.subtract(reducer.each, targets.row, out=reducer.each)

        def forward() -> None:
            np.maximum.reduce(x, axis=1, keepdims=True, out=largest)
            np.subtract(x, largest, out=log_softmax)
            np.exp(log_softmax, out=exp)
            np.add.reduce(exp, axis=1, keepdims=True, out=total)
            np.log(total, out=largest)
            np.subtract(log_softmax, largest, out=log_softmax)
            read()
            np.multiply(share, log_softmax, out=product)
            np.add.reduce(product, axis=1, keepdims=True, out=reducer.each)
            np.negative(reducer.each, out=reducer.each)
            if targets is not None:
                lose()
                targets.leave_out(reducer.each)
            reducer.forward()

        if site.grad_output is None:
            return Step(forward)
        grad_x, grad_target = (None if g is None else g.reshape(exp.shape) for g in site.grad_inputs)
        class_weight = np.ones(1) if self.weight is None else np.array(self.weight).reshape(-1, 1)
        pull = (-(1 - self._smoothing) * class_weight).astype(x.dtype)  # d share / d target, negative

        def backward() -> None:
            reducer.backward()
            if grad_x is not None:
                np.add.reduce(share, axis=1, keepdims=True, out=largest)
                np.divide(largest, total, out=largest)
                np.multiply(exp, largest, out=grad_x)
                np.subtract(grad_x, share, out=grad_x)
                factor = reducer.factor if targets is None else targets.spread(reducer.factor)
                np.multiply(grad_x, factor, out=grad_x)
            if grad_target is not None:
                np.multiply(log_softmax, pull, out=grad_target)
                np.multiply(grad_target, reducer.factor, out=grad_target)

        return Step(forward, backward)

    def _bind_smoothed(self, share: Array, targets: ClassTargets) -> Action:
        """share = smoothing / C * w_c everywhere, plus (1 - smoothing) * w_y at the target; 0 where ignored."""
        classes = share.shape[1]
        spread = (targets.class_weight * (self._smoothing / classes)).astype(share.dtype).reshape(-1, 1)
        hit = np.array(1 - self._smoothing, share.dtype)
        flat, row, index = share.reshape(-1), targets.row, targets.index

        def read() -> None:
            targets.read()
            np.multiply(targets.kept, spread, out=share)
            np.take(flat, index, out=row, mode="clip")
            np.multiply(targets.weight, hit, out=targets.weight)
            np.add(row, targets.weight, out=row)
            np.put(flat, index, row, mode="clip")

        return read

    def _bind_probabilities(self, site: Site) -> Action:
        """share = w_c * (target * (1 - smoothing) + smoothing / C)."""
        share = site.scratch["share"]
        target = site.inputs[1].reshape(share.shape)
        classes = share.shape[1]
        hit, spread = (np.array(v, share.dtype) for v in (1 - self._smoothing, self._smoothing / classes))
        weight = None if self.weight is None else np.array(self.weight, share.dtype).reshape(-1, 1)

        def read() -> None:
            np.multiply(target, hit, out=share)
            np.add(share, spread, out=share)
            if weight is not None:
                np.multiply(share, weight, out=share)

        return read
