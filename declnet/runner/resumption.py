"""What goes on with a run: the config in its directory, with nothing changed that made it what it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path as FilePath

from declnet.config.dump import written
from declnet.config.plain import plain
from declnet.errors import ConfigError, Diagnostic, Path
from declnet.runner import experiment
from declnet.runner.class_weights import weighted
from declnet.runner.experiment import MOST, Experiment
from declnet.runner.files import machine
from declnet.runner.rows import Rows

EPOCHS: Path = ("loop", "epochs")
"""What may change, upwards: a run can be made longer, because no step depends on how many are still to come."""


def load(
    directory: FilePath, overrides: Sequence[str] = (), config: FilePath | None = None, *, strict: bool = False
) -> Experiment:
    """The experiment of the run in a directory: of its config.yaml, or of a config that says the same, with these
    settings changed.

    ConfigError where that is no run directory, or where anything but `loop.epochs` is not what it was, each
    difference at its place.
    """
    own = directory / "config.yaml"
    with machine(f"read {own}"):
        there = own.is_file()
    if not there:
        raise ConfigError(f"{directory} is not the directory of a run: it has no config.yaml")
    if config is None and not overrides:
        return experiment.load(own, strict=strict, begun=True)
    before = experiment.load(own, begun=True).config
    now = experiment.load(own if config is None else config, overrides, strict=strict, begun=True)
    if now.config.loop.class_weights is not None and before.loop.class_weights is None:
        now = weighted(now, Rows(now))  # a run has them as numbers
    changes = list(_changes(plain(before, directory), plain(now.config, directory)))
    refused = [(path, old, new) for path, old, new in changes if path != EPOCHS or not _grows(old, new)]
    if refused:
        # Where the model is written differently, what was inferred is different too, and only follows from that.
        model = [item for item in refused if item[0][0] == "model"]
        cause = [item for item in model if item[0] in now.document.values]
        refused = [item for item in refused if not cause or item in cause or item not in model]
        shown = [
            Diagnostic(f"{_words(old)} in {own}, {_words(new)} here", path, now.document.mark(path))
            for path, old, new in refused[:MOST]
        ]
        more = f" (and {len(refused) - MOST} more differences)" if len(refused) > MOST else ""
        raise ConfigError(
            *shown,
            f"a run goes on with the config it began with; only loop.epochs can change, to more{more}: leave the "
            "others as they are, or train a new run",
        )
    return now


class _Nothing:
    """Stands for what is not there."""


def _changes(old: object, new: object, path: Path = ()) -> Iterator[tuple[Path, object, object]]:
    """The places where two configs differ, as deep as they can be named."""
    if isinstance(old, Mapping) and isinstance(new, Mapping) and old.get("type") == new.get("type"):
        for key in (*old, *(key for key in new if key not in old)):
            yield from _changes(old.get(key, _Nothing()), new.get(key, _Nothing()), (*path, key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, pair in enumerate(zip(old, new, strict=True)):
            yield from _changes(*pair, (*path, index))
    elif old != new:
        yield path, old, new


def _grows(old: object, new: object) -> bool:
    return isinstance(old, int) and isinstance(new, int) and new > old


def _words(value: object) -> str:
    return "nothing" if isinstance(value, _Nothing) else written(value)
