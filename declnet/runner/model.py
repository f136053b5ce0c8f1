"""A model in memory: one store, one arena, and a plan for each batch size and mode."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

import numpy as np

from declnet.core.metric import Meter, Metric, Result
from declnet.core.optimizer import FINE, Elementwise, Group, Looked, Optimizer
from declnet.core.products import require_room_for_products
from declnet.core.spec import Array, numpy_dtype
from declnet.errors import StepError, dotted
from declnet.plan.graph import Graph
from declnet.plan.liveness import lay_out
from declnet.plan.plan import Arena, Plan, bind, checking
from declnet.plan.store import Store, take
from declnet.runner.divergence import finiteness
from declnet.runner.experiment import Experiment
from declnet.runner.watch import UNWATCHED, Watch

Size = tuple[bool, int]
"""What a plan is made for: whether it trains, and the rows of a batch."""

Plans = dict[Size, Plan]


class Batch(Protocol):
    """What a step is made with."""

    def run(self) -> float:
        """Leave the gradients in the store, and return the loss. It can be run again."""


class Model:
    """Parameters and the plans over them."""

    def __init__(self, experiment: Experiment, sizes: Sequence[Size], noise: np.random.Generator) -> None:
        """Allocate everything that runs of these sizes need."""
        dtype = experiment.config.dtype
        graphs = {batch: experiment.graph(batch) for _, batch in sizes}
        graph = next(iter(graphs.values()))
        self.largest = experiment.largest(graphs)
        self.groups = experiment.config.optimizer.split(graph.trained())
        self.store = Store(graph.parameters, graph.buffers, [names for _, names in self.groups], dtype)
        self.layouts = {
            (training, batch): lay_out(graphs[batch], training=training, dtype=dtype)
            for training, batch in dict.fromkeys(sizes)
        }
        self.arena = Arena(max(layout.nbytes for layout in self.layouts.values()))
        self.plans: Plans = {
            key: bind(layout, self.store, self.arena, noise) for key, layout in self.layouts.items()
        }
        require_room_for_products()
        self._meters = {
            measure.label: partial(_meter, measure.metric, graph, output, target)
            for measure, (output, target) in zip(experiment.config.loop.metrics, graph.measures, strict=True)
        }

    def meters(self) -> dict[str, Meter]:
        """A new count for each metric, by label, in the order of what a plan has `measured`."""
        return {label: meter() for label, meter in self._meters.items()}


def _meter(metric: Metric, graph: Graph, output: int, target: int) -> Meter:
    """A new count; where the graph computes the target, one that looks at it first."""
    spec, producer = graph.specs[output], graph.producer(target)
    meter = metric.meter(spec, graph.specs[target], probabilities=graph.probabilities(output))
    if producer is None:
        return meter
    return _Careful(
        meter,
        partial(metric.check_target, spec),
        f"the target of {metric.type}, which {dotted(producer.path)} computes",
    )


class _Careful(Meter):
    """Looks at targets that are not data, which have been looked at when they were read."""

    def __init__(self, meter: Meter, check: Callable[[Array], None], where: str) -> None:
        self._meter, self._check, self._where = meter, check, where

    def update(self, output: Array, target: Array) -> None:
        checking(self._check, target, self._where)()
        self._meter.update(output, target)

    def result(self) -> Result:
        return self._meter.result()


class Optimization:
    """An optimizer over a store's groups: state, and one step."""

    def __init__(
        self,
        settings: Sequence[Optimizer],
        store: Store,
        *,
        clip: Callable[[], None] | None = None,
        follow: Callable[[int], None] | None = None,
        careful: bool = False,
        watch: Watch = UNWATCHED,
    ) -> None:
        """Allocate the state, and bind the formula to each group with the settings it has. `clip` changes the
        gradients before the formula reads them; `follow` is given the number of each step after it. A `careful` one
        looks at the gradients before it changes anything, which takes another pass over them.
        """
        self.step_count = 0
        self._clip, self._follow = clip, follow
        self.settings = list(settings)
        self._calls_closure = any(optimizer.calls_closure for optimizer in settings)
        self._batch: Batch | None = None
        self._loss: float | None = None
        formulas = all(isinstance(optimizer, Elementwise) for optimizer in settings)  # which look at gradients
        self._careful = careful or clip is not None or not formulas
        self._gradient_is_finite = finiteness(store.gradient)
        self._params_are_finite = finiteness(store.vector[: store.gradient.size])
        pairs = list(zip(settings, store.slices, strict=True))
        self.groups = [self._group(optimizer, store, piece) for optimizer, piece in pairs]
        self._fine = [FINE] * len(self.groups)
        self._updates = [
            watch.part("optimizer", optimizer.bind(group, self._closure))
            for optimizer, group in zip(settings, self.groups, strict=True)
        ]

    @staticmethod
    def _group(optimizer: Optimizer, store: Store, piece: slice) -> Group:
        state = {
            name: np.full(item.shape, item.value, numpy_dtype(item.kind, store.dtype))
            for name, item in optimizer.state(piece.stop - piece.start).items()
        }
        return Group(store.vector[piece], store.gradient[piece], state)

    def _closure(self) -> float:
        """Run the batch; the first time in a step also keep the loss, and check it and the gradient."""
        if self._batch is None:
            raise AssertionError("the closure is run only within a step")
        loss = self._batch.run()
        if self._loss is None:
            if not math.isfinite(loss):
                raise StepError(f"the loss is {loss}", "loss")
            if self._careful and not self._gradient_is_finite():  # clipping can make infinity a number
                raise StepError("the gradient is not finite", "gradient")
            self._loss = loss
        if self._clip is not None:
            self._clip()
        return loss

    def step(self, batch: Batch) -> float:
        """Compute the gradients of a batch, such as a plan with rows in its buffers, and change the parameters; the
        loss.

        StepError where the loss or the gradient is not finite, or the parameters after it. It says whether they
        and the optimizer's state are still those before.
        """
        self._batch, self._loss = batch, None
        if not self._calls_closure:
            self._closure()
        self.step_count += 1
        updates = zip(self._updates, self.settings, strict=True)
        looked = [update(settings, self.step_count) for update, settings in updates]
        if self._loss is None:
            raise AssertionError("an optimizer that calls the closure itself has not done so")
        if looked != self._fine:
            self._look(looked)
        if self._follow is not None:
            self._follow(self.step_count)
        return self._loss

    def _look(self, looked: Sequence[Looked | None]) -> None:
        """Look at all numbers where sums were not finite, or nobody has looked."""
        if any(found and not found.gradient for found in looked) and not self._gradient_is_finite():
            raise StepError("the gradient is not finite", "gradient", changed=True)
        if not all(found and found.param for found in looked) and not self._params_are_finite():
            raise StepError("the parameters are not finite", "parameters", changed=True)

    def state_dict(self) -> dict[str, Array]:
        """The state by group and name."""
        return {
            f"{index}/{name}": array
            for index, group in enumerate(self.groups)
            for name, array in group.state.items()
        }

    def load_state_dict(self, arrays: Mapping[str, Array], step_count: int, source: str) -> None:
        """Go on from the state after so many steps; CheckpointError where it is another optimizer's."""
        take(self.state_dict(), arrays, "optimizer", source)
        self.step_count = step_count
