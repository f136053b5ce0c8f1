"""The figures of some rows: loss and metrics, as a run computes them after each epoch and at its end."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from declnet.core.metric import Meter, Result
from declnet.core.spec import Array
from declnet.runner.experiment import Experiment
from declnet.runner.model import Model
from declnet.runner.rows import Rows


def measure(model: Model, rows: Rows, chosen: Array) -> dict[str, Result]:
    """The mean loss of a row, and the metrics of all the chosen ones, by label."""
    meters = model.meters()
    return figures(collect(model, rows, chosen, meters), len(chosen), meters)


def figures(loss: float, rows: int, meters: Mapping[str, Meter]) -> dict[str, Result]:
    """The figures of so many rows, from their losses added up and from what the meters took."""
    return {"loss": loss / rows} | {label: meter.result() for label, meter in meters.items()}


def collect(model: Model, rows: Rows, chosen: Array, meters: Mapping[str, Meter]) -> float:
    """Let meters take the chosen rows, those that say so in the units of the target's columns, whatever transforms
    make of them; the losses of these rows, added up.
    """
    total = 0.0
    for plan, count in rows.batches(chosen, model.plans, training=False):
        total += plan.run() * count
        for meter, compared, invert in zip(meters.values(), plan.measured, rows.inverses, strict=True):
            meter.update(*(compared if invert is None else map(invert, compared)))
    return total


def matrix_names(experiment: Experiment, classes: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """The names of the classes of those figures that are a matrix, by label, where they are known; `classes` are
    those of data fields.
    """
    graph = experiment.graph(1)
    measured = zip(experiment.config.loop.metrics, graph.measures, strict=True)
    fields = {item.label: graph.field_of(target) for item, (_, target) in measured if item.metric.axes}
    return {label: classes[name] for label, name in fields.items() if name is not None and name in classes}


def for_json(found: Mapping[str, Result]) -> dict[str, Result | None]:
    """None for what is not finite: rows that training never saw can be too much for a network, a metric may
    be undefined, and JSON has no word for either.
    """
    return {
        name: value if isinstance(value, list) or math.isfinite(value) else None for name, value in found.items()
    }
