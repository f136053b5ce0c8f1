"""What metrics of classes share: scores of classes, or one number for each target, against classes."""

from __future__ import annotations

import math
from abc import ABC
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from declnet.core.metric import Metric
from declnet.core.spec import Array, Spec
from declnet.errors import RowError, ShapeError
from declnet.losses.class_targets import AS_INDICES, check_classes, class_dims, index_shape


def is_binary(output: Spec) -> bool:
    """Whether there is one number for each target, not one for each class: (N,) or (N, 1, ...)."""
    return output.ndim == 1 or output.shape[1] == 1


def single(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without its dimension of one class, where it has that."""
    return (shape[0], *shape[2:]) if len(shape) > 1 and shape[1] == 1 else shape


def _by_target(output: Array) -> Array:
    """One row of scores for each target, (n, C), or one number, (n,)."""
    if output.ndim == 1 or output.shape[1] == 1:
        return output.reshape(-1)
    rows, classes, inner = class_dims(output.shape)
    return output.reshape(rows, classes, inner).swapaxes(1, 2).reshape(rows * inner, classes)


def are_logits(said: bool | None, probabilities: bool) -> bool:
    """Whether outputs are logits: what the config says, or else what the model makes of them."""
    return not probabilities if said is None else said


def softmax(scores: Array) -> Array:
    """Probabilities in float64 from logits, or from log-probabilities, (n, C)."""
    shifted = np.exp(scores.astype(np.float64) - scores.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def share(part: float, whole: float) -> float:
    """A share of what was counted; NaN where nothing was."""
    return float(part / whole) if whole else math.nan


class ClassMetric(Metric, ABC):
    """Compares outputs with classes."""

    binary: ClassVar[bool] = True
    """Whether outputs may also be one number for each target."""

    ignore_index: int = -100

    def check(self, output: Spec, target: Spec) -> None:
        """Scores of at least two classes against class indices; one number against a 0 or a 1."""
        if output.ndim > 0 and target.ndim > 0:
            if is_binary(output):
                fits = self.binary and single(output.shape) == single(target.shape)
            else:
                fits = target.kind == "int" and target.shape == index_shape(output.shape) and output.shape[1] > 1
            if fits:
                return
        also = ", or outputs (N,) or (N, 1) with targets 0 and 1" if self.binary else ""
        floats = output.ndim > 1 and target.shape == index_shape(output.shape) and target.kind == "float"
        raise ShapeError(
            f"{self.type} compares outputs (N, C) with class indices (N,){also}, but the output is {output} "
            f"and the target {target}" + (f"; {AS_INDICES}" if floats else "")
        )

    def check_target(self, output: Spec, target: Array) -> None:
        """Refuse classes that do not exist."""
        if not is_binary(output):
            check_classes(output, target, self.ignore_index)
            return
        wrong = (target != 0) & (target != 1) & (target != self.ignore_index)
        if wrong.any():
            raise RowError(
                f"{self.type} takes the targets 0 and 1 where there is one output for each; "
                f"got {target[wrong][0]:g}",
                int(np.argwhere(wrong)[0][0]),
            )

    def rows(self, output: Array, target: Array) -> tuple[Array, Array]:
        """The scores of the targets that count, (n, C) or (n,), and their classes; views where that is possible."""
        wanted = target.reshape(-1)
        kept = wanted != self.ignore_index
        scores = _by_target(output)
        if not kept.all():
            scores, wanted = scores[kept], wanted[kept]
        return scores, (wanted == 1).astype(np.int64) if scores.ndim == 1 else wanted


class Deciding(ClassMetric, ABC):
    """Decides for a class before it counts."""

    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    from_logits: bool | None = None

    def check(self, output: Spec, target: Spec) -> None:
        """Of several scores the largest decides."""
        super().check(output, target)
        if not is_binary(output) and self.threshold != type(self).model_fields["threshold"].default:
            raise ShapeError(
                f"{self.type} takes the class with the largest score of {output.shape[1]}, whatever the threshold; "
                "leave it out",
                field="threshold",
                argument=0,
            )

    def cut(self, probabilities: bool) -> float:
        """The output above which one number for a target stands for class 1: a probability, or its logit."""
        logits = are_logits(self.from_logits, probabilities)
        return math.log(self.threshold / (1 - self.threshold)) if logits else self.threshold

    def decide(self, output: Array, target: Array, cut: float) -> tuple[Array, Array]:
        """The classes that the outputs stand for, and those of the targets, (n,) each."""
        scores, classes = self.rows(output, target)
        return scores.argmax(axis=1) if scores.ndim > 1 else (scores > cut).astype(np.int64), classes
