"""What is told of each row by a network that is trained: its outputs, and what these stand for by the loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from declnet.core.component import Loss
from declnet.core.spec import Array, Kind
from declnet.core.suggest import any_of
from declnet.errors import ConfigError
from declnet.runner.experiment import Experiment
from declnet.runner.outline import outline


@dataclass(frozen=True, slots=True)
class Told:
    """One array, rows first: its name, the shape and kind of one row's, and how it is made of the output at
    `position`. What is made may be memory that the next batch is written to.
    """

    name: str
    shape: tuple[int, ...]
    kind: Kind
    position: int
    make: Callable[[Array], Array]


@dataclass(frozen=True, slots=True)
class Reading:
    """How a loss reads an output: as which probabilities, and as which class."""

    probability: Callable[[Array], Array]
    prediction: Callable[[Array], Array]
    classes: bool
    """Whether dimension 1 holds one number for each class; else each number is of two classes, 0 and 1."""


def _softmax(output: Array) -> Array:
    powers = np.exp(output - output.max(axis=1, keepdims=True))
    found: Array = powers / powers.sum(axis=1, keepdims=True)
    return found


def _sigmoid(output: Array) -> Array:
    found: Array = np.exp(-np.logaddexp(0, -output))  # overflows at neither end
    return found


def _largest(output: Array) -> Array:
    found: Array = output.argmax(axis=1)
    return found


def _above(threshold: float) -> Callable[[Array], Array]:
    return lambda output: (output > threshold).astype(np.int64)


def _itself(output: Array) -> Array:
    return output


READINGS: Mapping[str, Reading] = {
    "CrossEntropyLoss": Reading(_softmax, _largest, classes=True),
    "NLLLoss": Reading(np.exp, _largest, classes=True),
    "BCEWithLogitsLoss": Reading(_sigmoid, _above(0), classes=False),
    "BCELoss": Reading(_itself, _above(0.5), classes=False),
}
"""By the loss's type. The outputs of other losses stand for no probabilities."""


def told(experiment: Experiment, *, probabilities: bool = False, predictions: bool = True) -> list[Told]:
    """Each output or, with `probabilities`, those that it stands for; with `predictions`, before it the class.

    ConfigError where an output is not one for each row, or none stands for probabilities that are wanted.
    """
    # By their own names; one that has none, and is the only one, is the `output`.
    network, graph, larger = outline(experiment), experiment.forward(1), experiment.forward(2)
    names = [network.names[value] for value in network.outputs]
    names = ["output"] if len(names) == 1 and names[0].isdecimal() else names
    losses = {
        call.inputs[0]: call.component for call in experiment.graph(1).calls if isinstance(call.component, Loss)
    }
    found: list[Told] = []
    for position, (value, name) in enumerate(zip(network.outputs, names, strict=True)):
        row = graph.specs[value].shape[1:]
        if graph.specs[value].shape != (1, *row) or larger.specs[value].shape != (2, *row):
            raise ConfigError(f"the model's {name} is not one for each row: {larger.specs[value]} for two rows")
        loss = losses.get(value)
        reading = None if loss is None else READINGS.get(loss.type)
        if reading is not None:
            own = name if len(names) > 1 or name in ("prediction", "probability") else ""
            classes = row[1:] if reading.classes else row
            if predictions:
                found.append(Told(_of(own, "prediction"), classes, "int", position, reading.prediction))
            if probabilities:
                found.append(Told(_of(own, "probability"), row, "float", position, reading.probability))
                continue
        found.append(Told(name, row, graph.specs[value].kind, position, _itself))
    if probabilities and not any(loss.type in READINGS for loss in losses.values()):
        kinds = any_of(sorted({loss.type for loss in losses.values()}), "and")
        raise ConfigError(f"no output stands for probabilities: {any_of(READINGS)} read them as such, not {kinds}")
    return found


def _of(name: str, what: str) -> str:
    return f"{name}_{what}" if name else what


def tell(items: list[Told], outputs: tuple[Array, ...]) -> dict[str, Array]:
    """What is told of one batch, by name."""
    return {item.name: item.make(outputs[item.position]) for item in items}
