"""Cross-validation: a run for each fold, and what came of all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import declnet
from declnet.config.dump import dump
from declnet.config.plain import plain
from declnet.core.metric import Meter
from declnet.runner.class_weights import weighted
from declnet.runner.directory import RunDirectory
from declnet.runner.evaluate import restored
from declnet.runner.events import Event, Finished, FoldEnded
from declnet.runner.experiment import Experiment
from declnet.runner.files import machine
from declnet.runner.measure import collect, figures, for_json
from declnet.runner.past import read
from declnet.runner.position import done, last
from declnet.runner.rows import Rows
from declnet.runner.signals import Signals
from declnet.runner.trained import Trained
from declnet.runner.training import Training, Within
from declnet.runner.watch import UNWATCHED, Watch

Figures = dict[str, dict[str, Any]]
"""By split, and by name."""


def train(experiment: Experiment, directory: Path | None = None, watch: Watch = UNWATCHED) -> Iterator[Event]:
    """Train all folds, one after another, each as `declnet.runner.train.train` does, in a directory within that of
    the cross-validation. All begin with the same first values. What is refused before the first of them begins
    leaves nothing behind.
    """
    folds = watch.part("reading", _Folds)(experiment, watch)
    watch.part("reading", folds.prepare)()
    with RunDirectory.create(experiment.config.name, directory, checkpoints=False) as made:
        yield from folds.events(made)


def resume(experiment: Experiment, directory: Path, watch: Watch = UNWATCHED) -> Iterator[Event]:
    """Go on with the fold that was stopped, and then with the rest, to the same bits as if nothing had been. Folds
    that are done are left as they are.
    """
    with RunDirectory.open(directory, checkpoints=False) as opened:
        summary = opened.summary()
        if summary is not None and all(_done(opened, number, experiment) for number in _numbers(experiment)):
            yield Finished(summary, before=True)
            return
        folds = watch.part("reading", _Folds)(experiment, watch)
        opened.remove_summary()
        yield from folds.events(opened)


def _numbers(experiment: Experiment) -> range:
    return range(1, (experiment.config.loop.folds or 0) + 1)


def _done(directory: RunDirectory, number: int, experiment: Experiment) -> bool:
    path = directory.fold(number)
    if not _there(path):
        return False
    with RunDirectory.open(path) as opened:
        return done(opened, last(opened), experiment.config.loop) is not None


def _there(path: Path) -> bool:
    with machine(f"read {path}"):
        return path.is_dir()


class _Folds:
    def __init__(self, experiment: Experiment, watch: Watch) -> None:
        self.experiment, self.watch = experiment, watch
        self.numbers = _numbers(experiment)
        self.rows = Rows(self._experiment(1))

    def prepare(self) -> None:
        """Refuse what one of the folds would refuse: rows that are too few, classes that are missing."""
        for number in self.numbers:
            experiment, rows = self._fold(number)
            weighted(experiment, rows)
        Training(*self._fold(1))

    def _experiment(self, number: int) -> Experiment:
        """The experiment of a fold."""
        config = self.experiment.config
        loop = config.loop.model_copy(update={"fold": number})
        return replace(self.experiment, config=config.model_copy(update={"loop": loop}))

    def _fold(self, number: int) -> tuple[Experiment, Rows]:
        experiment = self._experiment(number)
        return experiment, self.rows.of(experiment)

    def events(self, directory: RunDirectory) -> Iterator[Event]:
        """All of it, or what is left."""
        with Signals() as signals:
            config = plain(self.experiment.config, directory.path)
            directory.write_config(dump(config, f"written by declnet {declnet.__version__}"))
            summaries: list[dict[str, Any]] = []
            for number in self.numbers:
                for event in self._events(directory, number, signals):
                    if isinstance(event, FoldEnded):
                        summaries.append(event.summary)
                    yield event
                if signals.received is not None:
                    kept = f"to go on: --resume {directory.path}"
                    raise signals.refusal(f"stopped by a signal after fold {number} of {self.numbers[-1]}; {kept}")
            yield Finished(self._finish(directory, summaries))

    def _events(self, directory: RunDirectory, number: int, signals: Signals) -> Iterator[Event]:
        """One fold, or what is left of it."""
        path, name = directory.fold(number), self.experiment.config.name
        within = Within(number, self.numbers[-1], directory.path)
        with RunDirectory.open(path) if _there(path) else RunDirectory.create(name, path) as opened:
            saved = last(opened)
            summary = done(opened, saved, self.experiment.config.loop)
            experiment, rows = self.watch.part("reading", self._fold)(number)
            if saved is not None and summary is not None:
                saved.require_data(rows.digest)
                read(path)  # CheckpointError where it is damaged
                yield FoldEnded(number, within.folds, summary, before=True)
                return
            run = self.watch.part("reading", Training)(experiment, rows, within, saved, self.watch)
            for event in run.events(opened, saved, signals):
                if isinstance(event, Finished):
                    yield FoldEnded(number, within.folds, event.summary)
                else:
                    yield event

    def _finish(self, directory: RunDirectory, summaries: Sequence[Mapping[str, Any]]) -> dict[str, object]:
        """Write what came of all folds."""
        told = ("rows", "epochs", "ended_by", "steps", "best_epoch", "val", "test", "seconds")
        each = [
            {"fold": number, "run_dir": str(directory.fold(number))}
            | {key: summary[key] for key in told if key in summary}
            for number, summary in zip(self.numbers, summaries, strict=True)
        ]
        summary: dict[str, object] = {
            "name": self.experiment.config.name,
            "declnet": declnet.__version__,
            "seed": self.experiment.config.seed,
            "parameters": summaries[0]["parameters"],
            "folds": each,
            "mean": _over(summaries, fmean),
            "std": _over(summaries, stdev),
            "pooled": {"test": self.watch.part("evaluation", self._pooled)(directory)},
            "run_dir": str(directory.path),
            "seconds": round(sum(found["seconds"] for found in summaries), 3),
        }
        if "classes" in summaries[0]:  # the same in all: a class that a fold was not trained on is refused
            summary["classes"] = summaries[0]["classes"]
        directory.write_summary(summary)
        return summary

    def _pooled(self, directory: RunDirectory) -> dict[str, Any]:
        """The figures of all rows together, each row evaluated by the fold that was not trained on it."""
        loss, count, meters = 0.0, 0, dict[str, Meter]()
        for number in self.numbers:
            experiment, rows = self._fold(number)
            experiment, chosen = weighted(experiment, rows), rows.splits["test"]
            with restored(Trained(directory.fold(number)), experiment, rows, chosen) as model:
                meters = meters or model.meters()
                loss += collect(model, rows, chosen, meters)
            count += len(chosen)
        return for_json(figures(loss, count, meters))


def _over(summaries: Sequence[Mapping[str, Any]], average: Callable[[list[float]], float]) -> Figures:
    """A mean, or what else is made of several numbers, of each figure that is a number in all folds; None where one
    is not finite.
    """
    found: Figures = {}
    for part in ("val", "test"):
        parts = [summary[part] for summary in summaries if part in summary]
        for name, first in parts[0].items() if parts else ():
            if not isinstance(first, list):
                values = [each.get(name) for each in parts]
                found.setdefault(part, {})[name] = None if None in values else average(values)
    return found
