"""Class indices as targets: which of them count, with what weight, and where they point."""

from __future__ import annotations

import math

import numpy as np

from declnet.core.component import Loss, Scratch, Site
from declnet.core.spec import Array, Spec
from declnet.core.suggest import any_of
from declnet.errors import DataError, RowError, ShapeError

AS_INDICES = (
    "make the data field {columns: ..., dtype: int64} where the column holds them, "
    "{columns: ..., transforms: [ClassLabels]} where it holds names"
)
"""How a target is made of class indices."""


def class_dims(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """An input (C), (N, C) or (N, C, d1, ...) as (rows, classes, inner)."""
    if len(shape) == 1:
        return 1, shape[0], 1
    return shape[0], shape[1], math.prod(shape[2:])


def index_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the class indices that go with an input of this shape."""
    return () if len(shape) == 1 else (shape[0], *shape[2:])


def require_classes(loss: Loss, input: Spec, weight: tuple[float, ...] | None, what: str) -> None:
    """Refuse an input without classes, and a weight that has not one number for each; `what` the input holds."""
    loss.require_float(input)
    name = type(loss).__name__
    if input.ndim == 0:
        raise ShapeError(f"{name} takes {what} (N, C, ...) but its input is a single number", argument=0)
    _, classes, _ = class_dims(input.shape)
    if classes == 0:
        raise ShapeError(f"{name} takes at least one class but its input is {input}", argument=0)
    if weight is not None and len(weight) != classes:
        raise ShapeError(
            f"weight has {len(weight)} numbers but the input {input} has {classes} classes", field="weight"
        )


def require_indices(loss: Loss, input: Spec, target: Spec, instead: str = "") -> None:
    """Refuse a target that does not hold class indices for this input; `instead` names what else may be there."""
    indices, name = Spec(index_shape(input.shape), "int"), type(loss).__name__
    if target.shape != indices.shape:
        flat = target.ndim == 1 and input.ndim > 2 and target.shape == input.shape[:1]
        raise ShapeError(
            f"{name} takes class indices {indices}{instead} for an input {input}, but its target is {target}"
            + ("; where a row has one class, put Flatten before the last layer" if flat else ""),
            argument=1,
        )
    if target.kind != "int":
        raise ShapeError(
            f"{name} takes class indices as integers but its target holds {target.kind}s; {AS_INDICES}",
            argument=1,
        )


def check_classes(input: Spec, target: Array, ignore_index: int) -> None:
    """Refuse class indices out of range; `target` holds rows first."""
    classes = class_dims(input.shape)[1]
    wrong = ((target < 0) | (target >= classes)) & (target != ignore_index)
    if wrong.any():
        row = int(np.argwhere(wrong)[0][0])
        raise RowError(
            f"the class {target[wrong][0]} does not exist: the model's output has {classes}, 0 to {classes - 1}",
            row,
        )


def count_classes(input: Spec, target: Array, ignore_index: int) -> Array:
    """How often each class is among class indices, all of which exist."""
    return np.bincount(target[target != ignore_index].astype(int, copy=False), minlength=class_dims(input.shape)[1])


def balanced_weights(counts: Array) -> tuple[float, ...]:
    """all / (classes * count) for each class, so that every class weighs the same in all. DataError where one has
    no target.
    """
    missing = np.flatnonzero(counts == 0).tolist()
    if missing:
        classes = (
            f"class {missing[0]} is" if len(missing) == 1 else f"classes {any_of(map(str, missing), 'and')} are"
        )
        raise DataError(f"{classes} missing, so no weight makes up for how rare they are,")
    weights: list[float] = (counts.sum() / (len(counts) * counts)).tolist()
    return tuple(weights)


class ClassTargets:
    """Reads the indices of a batch, all shaped (rows, 1, inner) against an input (rows, classes, inner).

    After `read`: `kept` is false for ignored targets, `weight` the weight of each (0 where ignored), `total`
    their sum, and `index` where in the flattened input each points (at its own row's class 0 where ignored,
    so that a write there hits no other row).
    """

    @staticmethod
    def scratch(shape: tuple[int, ...], *, training: bool) -> dict[str, Scratch]:
        """What `site.scratch` has to hold."""
        rows, _, inner = class_dims(shape)
        row = (rows, 1, inner)
        return {
            "kept": Scratch(row, "bool", saved=training),
            "ignored": Scratch(row, "bool"),
            "weight": Scratch(row, saved=training),
            "index": Scratch(row, "int", saved=training),
            "row": Scratch(row),
        }

    def __init__(self, site: Site, class_weight: tuple[float, ...] | None, ignore_index: int) -> None:
        """Bind to the second input of a loss."""
        x, target = site.inputs
        rows, classes, inner = class_dims(x.shape)
        self.kept, self.weight, self.index, self.row = (
            site.scratch[name] for name in ("kept", "weight", "index", "row")
        )
        self.ignored = site.scratch["ignored"]
        self.total = np.empty((), x.dtype)
        self.class_weight = np.ones(classes, x.dtype) if class_weight is None else np.array(class_weight, x.dtype)
        self._target = target.reshape(rows, 1, inner)
        self._weighted = class_weight is not None
        self._ignored = np.array(ignore_index)
        self._inner, self._stride = inner, np.array(inner)
        self._alike = False  # no target is ignored, and all weigh 1
        self._first = np.arange(rows).reshape(-1, 1, 1) * (classes * inner) + np.arange(inner)

    def read(self) -> None:
        """Take the indices of the batch that is there now."""
        np.not_equal(self._target, self._ignored, self.kept)
        self._alike = not self._weighted and np.count_nonzero(self.kept) == self.kept.size
        if self._alike:
            self.weight.fill(1)
            self.total.fill(self.kept.size)
            self._point(self._target)
            return
        np.copyto(self.weight, self.kept)
        if self._weighted:
            self.class_weight.take(self._target, None, self.row, "clip")
            np.multiply(self.weight, self.row, self.weight)
        np.add.reduce(self.weight, None, out=self.total)
        np.multiply(self._target, self.kept, self.index)
        self._point(self.index)

    def _point(self, classes: Array) -> None:
        """Write `index`."""
        if self._inner > 1:
            classes = np.multiply(classes, self._stride, self.index)
        np.add(classes, self._first, self.index)

    def weigh(self, each: Array) -> None:
        """Weigh the losses of the targets; those of ignored ones become 0, whatever the logits there are."""
        if self._alike:
            return
        np.multiply(each, self.weight, each)
        self.leave_out(each)

    def leave_out(self, each: Array) -> None:
        """Zero the losses of ignored targets, whatever the logits there are."""
        if self._alike:
            return
        np.logical_not(self.kept, self.ignored)
        np.copyto(each, 0, where=self.ignored)

    def spread(self, factor: Array) -> Array:
        """The factor for each target: 0 where ignored, also where the factor is infinite because all are."""
        if self._alike:
            return factor
        self.row.fill(0)
        np.copyto(self.row, factor, where=self.kept)
        return self.row

    def pull(self, factor: Array) -> Array:
        """The factor times the weight of each target, which is gone after it."""
        if self._alike:
            return factor
        return np.multiply(self.weight, self.spread(factor), self.weight)
