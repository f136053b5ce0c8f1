"""Checks of pairs of whole models, from the same weights under the same names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from declnet.core.registry import family
from declnet.errors import dotted
from declnet.runner.experiment import Experiment, load
from declnet.runner.model import Model, Optimization
from declnet.runner.rows import Rows
from declnet.runner.schedule import Schedule
from declnet.runner.scheduling import settled
from guide.one_liners import STEPS, TOLERANCE, same_law
from guide.page import Pair
from guide.sides import Twin, draw, write
from twins.compare import ROWS, close, compare, hand_over

LOOP = """
for x, y in loader:
    def closure():
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        return loss
    optimizer.step(closure)
"""
"""The steps of a pair that makes an optimizer and does not use it."""


def outputs(pair: Pair) -> None:
    """A model, and the loss where the pair has one; where it drops out, with p = 0 after a look at p."""
    twin = Twin(pair)
    path = write(pair, *draw(pair, twin))
    graph = load(path, strict=True).graph(ROWS)
    calls = [item for item in graph.calls if family(type(item.component)) == "dropout"]
    droppers = [module for module in twin.model.modules() if hasattr(module, "p")]  # no other module has one
    assert [item.component.model_dump()["p"] for item in calls] == [module.p for module in droppers]
    for module in droppers:
        module.p = 0.0
    compare(path, twin.model, twin.loss, [f"{dotted(item.path)}.p=0" for item in calls], TOLERANCE)


def allocated(path: Path, *overrides: str) -> tuple[Experiment, Model]:
    """A config without so much as a warning, and its model with first values, for batches of all rows."""
    experiment = load(path, [f"loop.batch_size={ROWS}", *overrides], strict=True)
    model = Model(experiment, [(True, ROWS)], np.random.default_rng(0))
    model.store.initialize(np.random.default_rng(1))
    return experiment, model


def steps(pair: Pair) -> None:
    """An optimizer, with a scheduler or without: the parameters after some steps, which the pair may take itself,
    over `loader`.
    """
    twin = Twin(pair)
    experiment, model = allocated(write(pair, *draw(pair, twin)), "dtype=float64")
    hand_over(model, twin.model)
    rows = Rows(experiment)
    scheduled = settled(experiment.config, experiment.document, rows.steps).scheduler
    schedule = Schedule(scheduled, [settings for settings, _ in model.groups])
    optimization = Optimization(schedule.at(1, 0), model.store)
    batches = []
    for step in range(STEPS):
        optimization.settings = schedule.at(1, step)
        plan, _ = next(rows.batches(np.arange(ROWS), model.plans, training=True))
        batches.append(tuple(torch.from_numpy(plan.inputs[name].copy()) for name in ("x", "y")))
        optimization.step(plan)
    names = twin.use(loader=batches)
    if "in loader" not in pair.python:
        exec(LOOP, names)  # noqa: S102 - the lines above
    for name, parameter in twin.model.named_parameters():
        close(name, model.store.params[name], parameter, TOLERANCE)


def laws(pair: Pair) -> None:
    """First values of a whole model."""
    torch.manual_seed(0)
    twin = Twin(pair)
    path = write(pair, *draw(pair, twin))
    twin.use()
    _, model = allocated(path)
    ours, theirs = model.store.state_dict(), twin.model.state_dict()
    assert list(ours) == list(theirs)
    for name, array in ours.items():
        same_law(name, array.astype("float64"), theirs[name].numpy())


def dtypes(pair: Pair) -> None:
    """The numbers that a model is made of."""
    twin = Twin(pair)
    theirs = {name: str(tensor.dtype).removeprefix("torch.") for name, tensor in twin.model.state_dict().items()}
    _, model = allocated(write(pair, *draw(pair, twin)))
    assert theirs == {name: str(array.dtype) for name, array in model.store.state_dict().items()}
