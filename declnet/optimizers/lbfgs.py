"""LBFGS: a quasi-Newton method with a limited memory."""

from __future__ import annotations

import math
from functools import partial
from typing import ClassVar, Literal, Self, final

import numpy as np
from pydantic import NonNegativeInt, PositiveInt

from declnet.core.numerics import blocks
from declnet.core.optimizer import Closure, Group, NonNegative, Optimizer, State, Update
from declnet.core.registry import optimizers
from declnet.core.spec import Array
from declnet.core.threads import cut, side_by_side
from declnet.errors import StepError
from declnet.optimizers.line_search import LineSearch, Point

CURVED = 1e-10
"""Least product of a step and the change of the gradient over it for the two to be remembered."""


@optimizers.register
@final
class LBFGS(Optimizer):
    """L-BFGS: goes along -H @ grad, with H the inverse Hessian as far as the last steps tell it.

    One step of training is up to max_iter iterations on its batch, each with one evaluation of the loss or more.
    An iteration takes s = t * d, the step before, and y, what that changed in the gradient; where y @ s > 1e-10
    it remembers both, and H starts from (y @ s / y @ y) * I. Then d = -H @ grad by the two-loop recursion, and
    param += t * d with t = lr, in the very first iteration lr * min(1, 1 / sum(|grad|)), or with the t that a
    line search finds from there. A step ends after max_iter iterations or max_eval evaluations; when no component
    of grad is above tolerance_grad, or none of t * d above tolerance_change; when the loss changes by less than
    tolerance_change, or grad @ d says that it will. Whatever it remembers it takes along to the next batch.

    All parameters are one vector: there can be no groups. Memory: 2 * history_size + 7 times the parameters'.

    Shape:
        Any; state: d, prev_flat_grad, each the parameters' size; old_dirs (the y), old_stps (the s), history_size
        times that; ro (1 / y @ s), history_size; H_diag, t, prev_loss, func_evals, n_iter and pairs (how many
        have been remembered, the i-th in row i modulo history_size), one number each.

    Parameters:
        lr: length of a step in units of d: 1 is Newton's. Also what the line search tries first.
        max_iter: iterations a step, at most.
        max_eval: evaluations of the loss a step, at most; a line search under way counts its own.
            Left out: max_iter * 5 / 4, rounded down.
        tolerance_grad: in gradient units.
        tolerance_change: in parameter units and in the loss's.
        history_size: pairs of vectors to remember.
        line_search_fn: strong_wolfe, or null for steps of a fixed length.

    Raises:
        ConfigError: an argument is out of range.
        NonFiniteError: the loss is not finite at the start of a step, or after a step of fixed length (PyTorch
            goes on and turns all parameters into NaN). The line search steps back from such places.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.optim.LBFGS.html;
        Nocedal and Wright, "Numerical Optimization", 2nd edition, 2006, algorithms 7.4, 3.5 and 3.6.
    """

    pytorch = "torch.optim.LBFGS"
    calls_closure: ClassVar[bool] = True

    type: Literal["LBFGS"] = "LBFGS"
    lr: NonNegative = 1.0
    max_iter: NonNegativeInt = 20
    max_eval: PositiveInt | None = None
    tolerance_grad: float = 1e-7
    tolerance_change: float = 1e-9
    history_size: PositiveInt = 100
    line_search_fn: Literal["strong_wolfe"] | None = None

    def state(self, size: int) -> dict[str, State]:
        """All that one step leaves to the next: the last one, and the pairs."""
        return {
            "func_evals": State((), kind="int"),
            "n_iter": State((), kind="int"),
            "d": State((size,)),
            "t": State(()),
            "old_dirs": State((self.history_size, size)),
            "old_stps": State((self.history_size, size)),
            "ro": State((self.history_size,)),
            "H_diag": State((), 1.0),
            "prev_flat_grad": State((size,)),
            "prev_loss": State(()),
            "pairs": State((), kind="int"),
        }

    def work(self, size: int) -> int:
        """Five vectors: one for whatever is in between, one for where a search starts, three for gradients."""
        return 5 * size

    @property
    def _most_evaluations(self) -> int:
        return self.max_iter * 5 // 4 if self.max_eval is None else self.max_eval

    def bind(self, group: Group, closure: Closure) -> Update[Self]:
        """A few products with each pair, and a few passes over the vectors."""
        return _Descent(group, closure).update


class _Descent:
    """The algorithm over the vectors of a group. What lasts is in the state alone, so a checkpoint holds it all."""

    def __init__(self, group: Group, closure: Closure) -> None:
        self._group, self._state, self._closure = group, group.state, closure
        self._direction = group.state["d"]
        self._work, self._origin, self._grad, *spare = (np.empty_like(group.param) for _ in range(5))
        self._spare = spare[0], spare[1]

    def update(self, settings: LBFGS, step: int) -> None:
        """One step of training."""
        state, change = self._state, settings.tolerance_change
        loss, evaluations = self._evaluate(), 1
        state["func_evals"] += 1
        if self._largest(self._grad) <= settings.tolerance_grad:
            return
        for iteration in range(1, settings.max_iter + 1):
            state["t"][...] = t = self._turn() * settings.lr
            state["prev_loss"][...] = before = loss
            slope = np.dot(self._grad, self._direction)
            if slope > -change:
                return
            last = iteration == settings.max_iter
            if settings.line_search_fn is not None:
                left = settings._most_evaluations - evaluations
                point, count = self._search(Point(0.0, loss, slope, self._grad), t, left)
                state["t"][...] = t = point.step
                loss = point.loss
            else:
                self._add(self._group.param, t, self._direction)
                # The next step begins with an evaluation anyway, on its own batch.
                loss, count = (loss, 0) if last else (self._evaluate(), 1)
            evaluations += count
            state["func_evals"] += count
            if (
                last
                or evaluations >= settings._most_evaluations
                or self._largest(self._grad) <= settings.tolerance_grad
                or t * self._largest(self._direction) <= change
                or abs(loss - before) < change
            ):
                return

    def _evaluate(self) -> float:
        """The loss where the parameters are; its gradient is kept."""
        loss = self._closure()
        if not math.isfinite(loss):
            raise StepError(f"the loss is {loss}", "loss", changed=True)
        np.copyto(self._grad, self._group.grad)
        return loss

    def _turn(self) -> float:
        """Find the direction, and how much of it to go: all, but the first time, when its scale is unknown."""
        state, share = self._state, 1.0
        if state["n_iter"] == 0:
            np.negative(self._grad, out=self._direction)
            share = 1 / max(1.0, float(self._sizes(self._grad).sum()))
        else:
            self._remember()
            self._two_loops()
        state["n_iter"] += 1
        np.copyto(state["prev_flat_grad"], self._grad)
        return share

    def _remember(self) -> None:
        """Store the last step and what it changed in the gradient, over the oldest pair where memory is full."""
        state, y, s = self._state, self._work, self._direction
        np.subtract(self._grad, state["prev_flat_grad"], out=y)
        np.multiply(s, state["t"], out=s)
        product = np.dot(y, s)
        if product > CURVED:
            row = int(state["pairs"]) % len(state["ro"])
            state["old_dirs"][row], state["old_stps"][row] = y, s
            state["ro"][row] = 1 / product
            state["H_diag"][...] = product / np.dot(y, y)
            state["pairs"] += 1

    def _two_loops(self) -> None:
        """direction = -H @ grad: through the pairs from the newest to the oldest, and back."""
        state, direction = self._state, self._direction
        ys, ss, ro, pairs = state["old_dirs"], state["old_stps"], state["ro"], int(state["pairs"])
        rows = [pair % len(ro) for pair in range(max(0, pairs - len(ro)), pairs)]
        shares = np.empty_like(ro)
        np.negative(self._grad, out=direction)
        for row in reversed(rows):
            shares[row] = np.dot(ss[row], direction) * ro[row]
            self._add(direction, -shares[row], ys[row])
        np.multiply(direction, state["H_diag"], out=direction)
        for row in rows:
            self._add(direction, shares[row] - np.dot(ys[row], direction) * ro[row], ss[row])

    def _search(self, start: Point, t: float, most: int) -> tuple[Point, int]:
        """Go to the best point along the direction; that point, and the evaluations it took."""
        group, direction = self._group, self._direction
        np.copyto(self._origin, group.param)

        def move(step: float) -> None:
            np.multiply(direction, step, out=self._work)
            np.add(self._origin, self._work, out=group.param)

        def probe(step: float, grad: Array) -> Point:
            move(step)
            loss = self._closure()
            np.copyto(grad, group.grad)
            slope = np.dot(grad, direction)
            return Point(step, math.inf if math.isnan(loss) else loss, slope, grad)

        search = LineSearch(probe, start, self._spare, self._largest(direction), most)
        point, evaluations = search.run(t)
        move(point.step)
        np.copyto(self._grad, point.grad)
        return point, evaluations

    def _add(self, vector: Array, factor: float, other: Array) -> None:
        """vector += factor * other, in blocks, so that the product never goes to memory."""

        def over(lane: slice) -> None:
            work = self._work[lane]
            for part, own in blocks(vector[lane], other[lane]):
                product = np.multiply(own, factor, out=work[: part.size])
                np.add(part, product, out=part)

        side_by_side([partial(over, lane) for lane in cut(vector.size, 2)])()

    def _sizes(self, vector: Array) -> Array:
        return np.absolute(vector, out=self._work)

    def _largest(self, vector: Array) -> float:
        return float(self._sizes(vector).max(initial=0))
