"""The figures of some rows: loss and metrics, as a run computes them after each epoch and at its end."""

from __future__ import annotations

import math
from collections.abc import Mapping

from declnet.core.spec import Array
from declnet.runner.experiment import Experiment
from declnet.runner.model import Plans
from declnet.runner.rows import Rows


def measure(experiment: Experiment, rows: Rows, chosen: Array, plans: Plans) -> dict[str, float]:
    """The mean loss of a row, and the metrics of all of them; `plans` hold the parameters."""
    meters = {metric.type: metric.meter() for metric in experiment.config.loop.metrics}
    total = 0.0
    for plan, count in rows.batches(chosen, plans, training=False):
        total += plan.run() * count
        for meter in meters.values():
            meter.update(plan.output, plan.inputs[next(iter(experiment.targets))])
    return {"loss": total / len(chosen)} | {metric: meter.result() for metric, meter in meters.items()}


def for_json(found: Mapping[str, float]) -> dict[str, float | None]:
    """Rows that training never saw can be too much for a network; JSON has no word for infinity."""
    return {key: value if math.isfinite(value) else None for key, value in found.items()}
