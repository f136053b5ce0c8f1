"""What is told of each row by a network that is trained: its outputs, and what these stand for by the loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from declnet.core.component import Loss
from declnet.core.spec import Array, DType, Kind, numpy_dtype
from declnet.core.suggest import any_of
from declnet.errors import ConfigError
from declnet.plan.graph import Call, Graph
from declnet.records import record
from declnet.runner.experiment import Experiment
from declnet.runner.outline import outline
from declnet.runner.transformed import Learned


@record
class Told:
    """One array, rows first: its name, the shape and kind of one row's, and how it is made of the output at
    `position`. What is made may be memory that the next batch is written to.
    """

    name: str
    shape: tuple[int, ...]
    kind: Kind
    position: int
    make: Callable[[Array], Array]
    names: tuple[str, ...] = ()
    """Of classes, where these are told by their names and not as numbers."""
    labels: tuple[str, ...] = ()
    """What each number of a row belongs to, where it has a name."""

    def dtype(self, dtype: DType) -> np.dtype[Any]:
        """Of the array, in a config of this dtype."""
        return np.array(self.names).dtype if self.names else numpy_dtype(self.kind, dtype)


@record
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


REGRESSION = ("MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss")
"""Losses whose outputs are what the target is."""


def told(
    experiment: Experiment, learned: Learned, *, probabilities: bool = False, predictions: bool = True
) -> list[Told]:
    """Each output or, with `probabilities`, those that it stands for; with `predictions`, before it the class.

    Classes have the names that the target's have, and what stands for a target is in the units of its column.

    ConfigError where an output is not one for each row, or none stands for probabilities that are wanted.
    """
    # By their own names; one that has none, and is the only one, is the `output`.
    network, graph, larger = outline(experiment), experiment.forward(1), experiment.forward(2)
    names = [network.names[value] for value in network.outputs]
    names = ["output"] if len(names) == 1 and names[0].isdecimal() else names
    whole = experiment.graph(1)
    losses = {call.inputs[0]: call for call in whole.calls if isinstance(call.component, Loss)}
    found: list[Told] = []
    for position, (value, name) in enumerate(zip(network.outputs, names, strict=True)):
        row = graph.specs[value].shape[1:]
        if graph.specs[value].shape != (1, *row) or larger.specs[value].shape != (2, *row):
            raise ConfigError(f"the model's {name} is not one for each row: {larger.specs[value]} for two rows")
        call = losses.get(value)
        reading = None if call is None else READINGS.get(call.component.type)
        if call is not None and reading is not None:
            own = name if len(names) > 1 or name in ("prediction", "probability") else ""
            known = learned.classes.get(whole.field_of(call.inputs[-1]) or "", ())
            prediction, probability = _read(reading, own, row, position, known)
            found += [prediction] * predictions + [probability] * probabilities
            if probabilities:
                continue
        make = _itself if call is None else _in_units(call, whole, learned)
        found.append(Told(name, row, graph.specs[value].kind, position, make))
    kinds = sorted({call.component.type for call in losses.values()})
    if probabilities and not any(kind in READINGS for kind in kinds):
        raise ConfigError(
            f"no output stands for probabilities: {any_of(READINGS)} read them as such, not {any_of(kinds, 'and')}"
        )
    return found


def _read(
    reading: Reading, own: str, row: tuple[int, ...], position: int, known: tuple[str, ...]
) -> tuple[Told, Told]:
    """The class that an output stands for, and the probabilities; `known` are the names of classes."""
    count = row[0] if reading.classes and row else 2
    # A network may have more outputs than there are classes.
    names = tuple(known[index] if index < len(known) else str(index) for index in range(count)) if known else ()
    index = np.array(names)

    def name(output: Array) -> Array:
        found: Array = index[reading.prediction(output)]
        return found

    classes, make = row[1:] if reading.classes else row, name if names else reading.prediction
    prediction = Told(_of(own, "prediction"), classes, "int", position, make, names)
    title = _of(own, "probability")
    if names and not reading.classes:
        title = f"{title}_{names[1]}"
    labels = names if reading.classes and len(row) == 1 else ()
    return prediction, Told(title, row, "float", position, reading.probability, labels=labels)


def _in_units(call: Call, graph: Graph, learned: Learned) -> Callable[[Array], Array]:
    """What makes an output one in the units of its target's column, where its loss compares the two."""
    name = graph.field_of(call.inputs[-1], reshaped=False)
    pipeline = learned.pipelines.get(name or "")
    if pipeline is None or not pipeline.invertible or call.component.type not in REGRESSION:
        return _itself
    invert = pipeline.invert
    return lambda output: invert(output).astype(output.dtype)


def _of(name: str, what: str) -> str:
    return f"{name}_{what}" if name else what


def tell(items: list[Told], outputs: tuple[Array, ...]) -> dict[str, Array]:
    """What is told of one batch, by name."""
    return {item.name: item.make(outputs[item.position]) for item in items}
