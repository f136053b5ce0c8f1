"""The process behind one side of a `Steps` workload: `python -m benchmarks.worker WORKLOAD SIDE`.

For each line on stdin it trains anew from the same weights, and answers with the time of a step and the losses.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from itertools import cycle, islice

import numpy as np

from benchmarks.frame import OURS
from benchmarks.steps import FORMS, Array, Steps
from benchmarks.workloads import WORKLOADS

Step = Callable[[Array, Array], float]
"""One training step on a batch; the loss."""


def initial(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """First weights, the same for the same shapes in the same order."""
    rng = np.random.default_rng(0)
    bounds = {name: 1 / math.sqrt(math.prod(shape[1:] or shape)) for name, shape in shapes.items()}
    return {name: rng.uniform(-bounds[name], bounds[name], shape).astype("f4") for name, shape in shapes.items()}


@contextmanager
def declnet(workload: Steps) -> Iterator[Step]:
    """The step of `declnet train`: its loader, plan, optimizer and rule for threads."""
    from declnet.core.threads import threads_for
    from declnet.runner.experiment import load
    from declnet.runner.model import Model, Optimization

    experiment = load(workload.config)
    size = experiment.batch
    model = Model(experiment, [(True, size)], np.random.default_rng(0))
    params = model.store.params
    for name, values in initial({name: param.shape for name, param in params.items()}).items():
        params[name][...] = values
    optimization = Optimization([settings for settings, _ in model.groups], model.store)
    plan = model.plans[True, size]
    x_buffer, y_buffer = plan.inputs.values()

    def step(x: Array, y: Array) -> float:
        np.copyto(x_buffer, x)
        np.copyto(y_buffer, y)
        return optimization.step(plan)

    with np.errstate(all="ignore"), threads_for(model.largest):
        yield step


@contextmanager
def pytorch(workload: Steps, form: Mapping[str, bool]) -> Iterator[Step]:
    """The loop body of a PyTorch tutorial; a tensor over an array copies nothing."""
    import torch

    model, criterion, optimizer_of = workload.pytorch()
    params = dict(model.named_parameters())
    with torch.no_grad():
        for name, values in initial({name: tuple(param.shape) for name, param in params.items()}).items():
            params[name].copy_(torch.from_numpy(values))
    optimizer = optimizer_of(model.parameters(), **form)

    def step(x: Array, y: Array) -> float:
        optimizer.zero_grad()
        loss = criterion(model(torch.from_numpy(x)), torch.from_numpy(y))
        loss.backward()
        optimizer.step()
        return float(loss.item())

    yield step


def sample(side: AbstractContextManager[Step], workload: Steps) -> dict[str, object]:
    """Warm up, then time the steps."""
    with side as step:
        batches = cycle(workload.batches())
        losses = [step(x, y) for x, y in islice(batches, workload.warm_up)]
        timed = list(islice(batches, workload.steps))
        begun = time.perf_counter()
        for x, y in timed:
            step(x, y)
        seconds = time.perf_counter() - begun
    return {"seconds": seconds / workload.steps, "answer": losses}


def main(name: str, side: str) -> None:
    """Answer each line with a sample."""
    workload = WORKLOADS[name]
    assert isinstance(workload, Steps)
    for _ in sys.stdin:
        opened = declnet(workload) if side == OURS else pytorch(workload, FORMS[side])
        print(json.dumps(sample(opened, workload)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
