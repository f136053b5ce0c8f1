"""`loop.class_weights`: weights for the classes of a loss, from how often each is among the training rows."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

import numpy as np

from declnet.core.component import Loss
from declnet.core.suggest import some
from declnet.core.wrapper import Term
from declnet.errors import DataError, Diagnostic, Path
from declnet.plan.graph import Call, Graph
from declnet.runner.experiment import Experiment, terms
from declnet.runner.rows import Rows

KEY: Path = ("loop", "class_weights")


def weighted(experiment: Experiment, rows: Rows) -> Experiment:
    """The experiment with weights in the place of `balanced`, which is what its config.yaml then has. DataError
    where a class is missing from the training rows.
    """
    config = experiment.config
    if config.loop.class_weights is None:
        return experiment
    graph = experiment.graph(1)
    calls = [call for call in graph.calls if isinstance(call.component, Loss)]
    found = [
        _balanced(experiment, rows, graph, call, term) for call, term in zip(calls, terms(config.loss), strict=True)
    ]
    loss = tuple(found) if isinstance(config.loss, tuple) else found[0]
    changes = {"loss": loss, "loop": config.loop.model_copy(update={"class_weights": None})}
    return replace(experiment, config=config.model_copy(update=changes))


def _balanced(experiment: Experiment, rows: Rows, graph: Graph, call: Call, term: Term) -> Term:
    """A term of the loss, with weights if it takes any."""
    if not term.loss.balances:
        return term
    name = graph.field_of(call.inputs[-1])
    if name is None:
        raise AssertionError("a config that was checked balances by a data field")
    output = graph.specs[call.inputs[0]]
    blocks = rows.blocks(name, rows.splits["train"])
    counts = reduce(np.add, (term.loss.count_classes(output, block) for block in blocks))
    try:
        return replace(term, loss=term.loss.balanced(counts))
    except DataError as error:
        names = rows.learned.classes.get(name, ())
        known = (
            f"; the classes are {some([f'{own!r} ({index})' for index, own in enumerate(names)])}" if names else ""
        )
        message = f"balanced: {error.diagnostics[0].message} in the training rows{known}"
        raise DataError(Diagnostic(message, KEY, experiment.document.mark(KEY))) from None
