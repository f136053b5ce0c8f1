"""What happens in a run, as values: whoever trains gets these and shows them as they like."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from declnet.records import record

if TYPE_CHECKING:
    from declnet.runner.initial import Taken


@record
class Started:
    """Everything is allocated; the first step comes next."""

    directory: Path
    name: str
    parameters: int
    rows: dict[str, int]
    epochs: int
    """At most."""
    steps: int
    """Steps of one epoch."""
    total: int
    """Steps of all epochs, at most."""
    done: tuple[int, int] | None = None
    """Epochs, and steps of the next, that an earlier process has done, where this one goes on."""
    fold: tuple[int, int] | None = None
    """In a cross-validation which fold this is, counted from 1, and how many there are."""
    taken: Taken | None = None
    """What the network starts from, where that is a file of weights."""


@record
class Stepped:
    """A step is done. Sent a few times a second at most."""

    epoch: int
    step: int
    """Of this epoch, counted from 1."""


@record
class EpochEnded:
    """An epoch and its evaluation are done; `record` is its line in metrics.jsonl."""

    record: dict[str, float | int | None]
    best: bool


@record
class Finished:
    """The run is complete and on disk; `summary` is summary.json."""

    summary: dict[str, object]
    before: bool = False
    """Whether it was so already, and nothing has been done."""


@record
class FoldEnded:
    """In a cross-validation a fold's run is complete and on disk; `summary` is its summary.json."""

    fold: int
    folds: int
    summary: dict[str, object]
    before: bool = False
    """Whether it was so already, and nothing has been done."""


Event = Started | Stepped | EpochEnded | FoldEnded | Finished
