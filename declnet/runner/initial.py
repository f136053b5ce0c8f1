"""What a network takes from a file of weights (`init`), by name, and what it does not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from declnet.config.document import Document
from declnet.config.schema import Init
from declnet.core.optimizer import matches
from declnet.core.spec import Array
from declnet.core.suggest import like_pattern, nearest, some
from declnet.data.files import printable
from declnet.errors import CheckpointError, ConfigError, Diagnostic
from declnet.plan.graph import Graph
from declnet.plan.store import Store
from declnet.records import record
from declnet.runner import weights
from declnet.runner.weights import PLACE, Weights

KINDS = {"f": "float", "i": "int", "u": "int", "b": "bool"}
"""What a network calls numbers, by NumPy's letters."""


@record
class Taken:
    """What was found, by name: how many parameters and buffers of how many, those of the network that the file has
    not or that are skipped, which start as drawn, and those of the file that are not used.
    """

    file: str
    parameters: tuple[int, int]
    buffers: tuple[int, int]
    drawn: tuple[str, ...]
    unused: tuple[str, ...]

    @property
    def plain(self) -> dict[str, object]:
        """As data, for JSON."""
        return {
            "parameters": list(self.parameters),
            "buffers": list(self.buffers),
            "drawn": list(self.drawn),
            "unused": list(self.unused),
        }


class Match:
    """A network and a file of weights, name by name."""

    def __init__(self, init: Init, graph: Graph, found: Weights) -> None:
        """Compare; `problems` says what does not fit."""
        self.skip, self.found, self.file = init.skip, found, printable(str(found.path))
        buffers = {name: (buffer.shape, str(buffer.kind)) for name, buffer in graph.buffers.items()}
        parameters = {name: (parameter.shape, "float") for name, parameter in graph.parameters.items()}
        self.own: dict[str, tuple[tuple[int, ...], str]] = parameters | buffers
        chosen = {name for name in found.entries if name in self.own and not matches(name, init.skip)}
        self.names = [name for name in self.own if name in chosen]
        self.taken = Taken(
            self.file,
            _count(chosen, parameters),
            _count(chosen, buffers),
            tuple(name for name in self.own if name not in chosen),
            tuple(name for name in found.entries if name not in chosen),
        )

    def problems(self) -> Iterator[Diagnostic]:
        """What does not fit, at the keys of `init`, without their places."""
        for index, pattern in enumerate(self.skip):
            if not any(matches(name, (pattern,)) for name in self.found.entries):
                near = like_pattern(pattern, self.found.entries)
                yield Diagnostic(f"{self.file} has nothing called {pattern!r}{near}", ("init", "skip", index))
        if not self.names:
            yield Diagnostic(self._nothing(), PLACE)
        for name in self.names:
            entry, (shape, kind) = self.found.entries[name], self.own[name]
            if entry.shape != shape:
                theirs = f"{name} is {entry.shape} in {self.file} and {shape} in the model"
                yield Diagnostic(f"{theirs}; to start it as drawn, name it in skip: [{name}]", PLACE)
            elif entry.refused:
                yield Diagnostic(f"{name} of {self.file} {entry.refused}", PLACE)
            elif KINDS[entry.kind] != kind:
                yield Diagnostic(f"{name} is {entry.dtype} in {self.file} and {kind} in the model", PLACE)

    def _nothing(self) -> str:
        """That no name fits, with the names that are nearest."""
        entries = [name for name in self.found.entries if not matches(name, self.skip)]
        if not entries:
            return f"skip leaves nothing of {self.file} to start from"
        pairs = ((name, _nearest(name, self.own)) for name in entries)
        near = next((f"; {name!r} is nearest to {other!r} of the model" for name, other in pairs if other), "")
        there = f"it has {some(entries)}, the model {some([*self.own])}"
        return f"no name in {self.file} is one of the model's: {there}{near}"


def _count(chosen: Collection[str], names: Collection[str]) -> tuple[int, int]:
    """How many of these are chosen, of how many."""
    return sum(name in chosen for name in names), len(names)


def _nearest(name: str, own: Mapping[str, object]) -> str | None:
    """The model's name that differs in its beginning alone, else in a letter or two."""
    ends = (other for other in own if other.endswith(f".{name}") or name.endswith(f".{other}"))
    return next(ends, None) or nearest(name, own)


class Start:
    """The check of `init`, without reading a weight."""

    def __init__(self, init: Init, document: Document) -> None:
        """Look at the file."""
        self.init, self.document = init, document
        self.taken: Taken | None = None
        self.config_is_wrong = False
        self.problems: list[Diagnostic] = []
        self.found: Weights | None = None
        try:
            self.found = weights.look(init.path)
        except (ConfigError, CheckpointError) as error:
            self.config_is_wrong = isinstance(error, ConfigError)  # a package is missing
            self.problems = placed(error.diagnostics, document)

    def compare(self, graph: Graph) -> list[Diagnostic]:
        """What of the file does not fit a model."""
        if self.found is None:
            return []
        match = Match(self.init, graph, self.found)
        self.taken = match.taken
        problems = placed(match.problems(), self.document)
        self.config_is_wrong |= bool(problems)
        return problems


def placed(items: Iterable[Diagnostic], document: Document) -> list[Diagnostic]:
    """Mistakes at the places of their keys in the config."""
    return [replace(item, mark=document.mark(item.path)) for item in items]


def fill(store: Store, init: Init, graph: Graph, document: Document) -> Taken:
    """Put the file's weights in place of what was drawn.

    Raises:
        CheckpointError: the file is unusable, does not fit any more, or holds what is not a finite number.
    """
    try:
        match = Match(init, graph, weights.look(init.path))
        if problems := tuple(match.problems()):
            raise CheckpointError(*problems)
        arrays = match.found.read(match.names)
        own = store.state_dict()
        cast = {name: _cast(f"{name} of {match.file}", arrays[name], own[name]) for name in match.names}
    except CheckpointError as error:
        raise CheckpointError(*placed(error.diagnostics, document)) from None
    for name, values in cast.items():
        own[name][...] = values
    return match.taken


def _cast(what: str, values: Array, own: Array) -> Array:
    """The values as the network holds them; CheckpointError where it cannot."""
    with np.errstate(over="ignore", invalid="ignore"):
        cast: Array = values.astype(own.dtype)
    if own.dtype.kind == "f" and not np.isfinite(cast).all():
        given = values[~np.isfinite(cast)][0]
        why = f"too large for {own.dtype}" if np.isfinite(given) else "not a finite number"
        raise CheckpointError(Diagnostic(f"{what} holds {given:g}, which is {why}", PLACE))
    if own.dtype.kind != "f" and (cast != values).any():
        raise CheckpointError(Diagnostic(f"{what} holds an integer that is too large for {own.dtype}", PLACE))
    return cast
