"""Numbers that are not finite: whether there are any, where they come from, and what a skipped step undoes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial

import numpy as np

from declnet.core.numerics import blocks, spread, total
from declnet.core.spec import Array
from declnet.core.threads import side_by_side
from declnet.core.wrapper import join
from declnet.errors import Path, What
from declnet.plan.graph import Graph
from declnet.plan.plan import Plan
from declnet.plan.store import Store
from declnet.records import record


def finite(array: Array) -> bool:
    """Whether all numbers are."""
    return finiteness(array)()


def finiteness(array: Array) -> Callable[[], bool]:
    """What says whether all numbers of an array are finite. A sum of their squares, or of themselves, shows it in
    one pass; only where that is not finite, because it may overflow, is each number looked at.
    """
    flat = array.reshape(-1)
    lanes = [flat[lane] for lane in spread(flat.size, 1)]
    totals = [total(lane, alone=len(lanes) == 1) for lane in lanes]
    sums = [0.0] * len(lanes)

    def add(lane: int) -> None:
        sums[lane] = totals[lane]()

    add_up = side_by_side([partial(add, lane) for lane in range(len(lanes))])

    def look() -> bool:
        add_up()
        return math.isfinite(sum(sums)) or _each_is_finite(flat)

    return look


def _each_is_finite(flat: Array) -> bool:
    return all(np.isfinite(block).all() for (block,) in blocks(flat))


@record
class Origin:
    """Where numbers first went wrong, in words, and the node's key path."""

    what: str
    path: Path = ()


def origin(what: What, plans: Iterable[Plan], store: Store, graph: Graph) -> Origin | None:
    """Where it begins, in a step of which this is the first thing found. The plans of its batches come one by one,
    with the rows in their buffers. None where it cannot be found again.
    """
    if what == "gradient":  # backward comes first to the last parameter
        wrong = (name for name, grad in reversed(store.grads.items()) if grad is not None and not finite(grad))
        return _of_parameter("the gradient of ", next(wrong, None), graph)
    name = next((name for name, param in store.params.items() if not finite(param)), None)
    if what == "loss" and name is None:  # else an optimizer that runs the batch several times in a step
        return _of_loss(plans)
    return _of_parameter("", name, graph)


def _of_loss(plans: Iterable[Plan]) -> Origin | None:
    """The first output that is not finite. Training lends an output's memory to others, so forward is run again,
    part by part; noise is drawn anew, and this time nothing may be wrong.
    """
    for plan in plans:
        for part in plan.parts:
            for step in part.forward:
                step()
            if not finite(part.output):
                if part.call is None:
                    return Origin("the sum of the scaled terms", ("loss",))
                return Origin(f"the output of {part.call.name} ({part.call.component.type})", part.call.path)
    return None


def _of_parameter(of: str, name: str | None, graph: Graph) -> Origin | None:
    for call in graph.calls:
        if any(join(call.owner, local) == name for local in graph.parameters_of(call)):
            return Origin(f"{of}{name} ({call.component.type})", call.path)
    return None if name is None else Origin(f"{of}{name}")


class Undo:
    """Running statistics as they were before a step: forward has changed them when its loss is known."""

    def __init__(self, store: Store) -> None:
        """Allocate the copies."""
        self._pairs = [(buffer, buffer.copy()) for buffer in store.buffers.values()]

    def keep(self) -> None:
        """Before a step."""
        for buffer, copy in self._pairs:
            np.copyto(copy, buffer)

    def restore(self) -> None:
        """After one that is to be as if it had not been."""
        for buffer, copy in self._pairs:
            np.copyto(buffer, copy)
