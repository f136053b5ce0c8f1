"""A line search for the strong Wolfe conditions: a step that lowers the loss enough and flattens it enough.

Nocedal and Wright, "Numerical Optimization", 2nd edition, 2006: algorithms 3.5 (bracket) and 3.6 (zoom), with
the cubic of equation 3.59; the bounds and the stopping rules are PyTorch's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from declnet.core.spec import Array
from declnet.records import record

DECREASE = 1e-4
"""Share of the decrease that the slope promises, which a step must bring (c1)."""

CURVATURE = 0.9
"""Share of the steepness that may be left (c2)."""

NARROW = 1e-9
"""A bracket within which no parameter moves by this much is done: PyTorch's own, whatever tolerance_change is."""


@record
class Point:
    """A place on the line: how far along, the loss, its slope along the line, and its gradient.

    The slope has the gradient's dtype and the others are Python's, so NumPy reckons in that dtype, as PyTorch does:
    near a minimum in float32 it matters that a decrease too small for it is none.
    """

    step: float
    loss: float
    slope: np.floating[Any]
    grad: Array


Probe = Callable[[float, Array], Point]
"""Evaluates at a step; the gradient goes to the array."""


@record
class LineSearch:
    """A search from `start` along a line that leads down.

    `spare` is room for two gradients beside that of `start`, which may be overwritten too; `reach` is the largest
    component of the direction.
    """

    probe: Probe
    start: Point
    spare: tuple[Array, Array]
    reach: float
    most: int
    """Evaluations at most, beside the first."""

    def run(self, step: float) -> tuple[Point, int]:
        """The best point found, trying `step` first, and the evaluations it took."""
        previous, new = self.start, self.probe(step, self.spare[0])
        for trial in range(self.most):
            # Nocedal and Wright compare with the previous point from the second trial on, PyTorch from the third.
            if self._too_high(new) or (trial > 1 and new.loss >= previous.loss):
                return self._zoom([previous, new], trial)
            if self._flat(new):
                return new, trial + 1
            if new.slope >= 0:
                return self._zoom([previous, new], trial)
            least = new.step + 0.01 * (new.step - previous.step)
            step = lowest_of_cubic(previous, new, least, 10 * new.step)
            previous, new = new, self.probe(step, self._room(self.start, new))
        return min(self.start, new, key=lambda point: point.loss), self.most + 1

    def _zoom(self, ends: list[Point], trials: int) -> tuple[Point, int]:
        """Narrow a bracket down until a point meets both conditions."""
        low, hesitated = _lower(ends), False
        while trials < self.most and not abs(ends[1].step - ends[0].step) * self.reach < NARROW:
            step, hesitated = _inside(ends, hesitated)
            new = self.probe(step, self._room(*ends))
            trials += 1
            if self._too_high(new) or new.loss >= ends[low].loss:
                ends[1 - low] = new
                low = _lower(ends)
                continue
            done = self._flat(new)
            if not done and new.slope * (ends[1 - low].step - ends[low].step) >= 0:
                ends[1 - low] = ends[low]
            ends[low] = new
            if done:
                break
        return ends[low], trials + 1

    def _too_high(self, point: Point) -> bool:
        return bool(point.loss > self.start.loss + DECREASE * point.step * self.start.slope)

    def _flat(self, point: Point) -> bool:
        return bool(abs(point.slope) <= -CURVATURE * self.start.slope)

    def _room(self, *keep: Point) -> Array:
        """Where a gradient can go without hurting these points'."""
        return next(room for room in (*self.spare, self.start.grad) if all(room is not p.grad for p in keep))


def _lower(ends: list[Point]) -> int:
    return int(ends[1].loss < ends[0].loss)


def _inside(ends: list[Point], hesitated: bool) -> tuple[float, bool]:
    """The next step to try in a bracket, and whether it is near an end.

    A tenth of the bracket is near. One step may be; a second one after it, or one on the end itself, is moved
    to a tenth.
    """
    left, right = sorted(point.step for point in ends)
    step = lowest_of_cubic(ends[0], ends[1], left, right)
    margin = 0.1 * (right - left)
    if min(right - step, step - left) >= margin:
        return step, False
    if not hesitated and left < step < right:
        return step, True
    return (right - margin if abs(step - right) < abs(step - left) else left + margin), False


def lowest_of_cubic(a: Point, b: Point, least: float, most: float) -> float:
    """Where the cubic through two points with their slopes has its minimum, kept within bounds.

    The middle of the bounds where there is no minimum, or no cubic because a loss is infinite (in PyTorch the
    step is then NaN, and so are all parameters).
    """
    left, right = (a, b) if a.step <= b.step else (b, a)
    width = right.step - left.step
    if width == 0:
        return least
    with np.errstate(all="ignore"):
        first = left.slope + right.slope + 3 * (left.loss - right.loss) / width
        second = np.sqrt(first * first - left.slope * right.slope)
        share = (right.slope + second - first) / (right.slope - left.slope + 2 * second)
        step = float(right.step - width * share)
    return (least + most) / 2 if math.isnan(step) else min(max(step, least), most)
