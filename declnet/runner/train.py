"""The epoch loop."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path

import numpy as np

import declnet
from declnet.config.dump import dump
from declnet.config.plain import plain
from declnet.core.numerics import blocks
from declnet.core.random import generator
from declnet.core.spec import Array
from declnet.core.threads import threads_for
from declnet.errors import NonFiniteError
from declnet.runner.directory import RunDirectory
from declnet.runner.events import EpochEnded, Event, Finished, Started, Stepped
from declnet.runner.experiment import Experiment
from declnet.runner.keeper import Keeper
from declnet.runner.measure import for_json, measure
from declnet.runner.model import Model, Optimization
from declnet.runner.rows import Rows
from declnet.runner.signals import Signals

REPORT_EVERY = 0.1
"""Seconds between two `Stepped` events at least: what follows a run on a screen costs the run next to nothing."""

Record = dict[str, float | int]


def train(experiment: Experiment, directory: Path | None = None) -> Iterator[Event]:
    """Train, and yield what happens.

    The run directory is made once all data have been read and all memory is there: what is refused before
    leaves nothing behind. A first SIGINT or SIGTERM ends the run after the step in progress and a checkpoint.

    Raises:
        DataError: the data are wrong.
        NonFiniteError: a loss is not a finite number; the parameters that gave it are not saved.
        MachineError: the machine refused to write or allocate.
        Interrupted: a signal stopped the run.
    """
    run = _Run(experiment, directory)
    # What overflows shows in the loss, which is checked at every step.
    with np.errstate(all="ignore"), threads_for(run.model.largest), Signals() as signals:
        yield from run.events(signals)


class _Run:
    def __init__(self, experiment: Experiment, directory: Path | None) -> None:
        self.started = time.perf_counter()
        self.experiment, self.config, self.loop = experiment, experiment.config, experiment.config.loop
        self.rows = Rows(experiment)
        self.noise = generator(self.config.seed, "noise")
        self.order = generator(self.config.seed, "shuffle")
        self.model = Model(experiment, self.rows.sizes(), self.noise)
        self.store = self.model.store
        self.store.initialize(generator(self.config.seed, "initialize"))
        self.optimization = Optimization([settings for settings, _ in self.model.groups], self.store)
        self.parameters = sum(param.size for param in self.store.params.values())
        self.directory = RunDirectory.create(self.config.name, directory)
        self.keeper = Keeper(self.directory, self.loop.checkpoint_every, self.loop.epochs)

    def events(self, signals: Signals) -> Iterator[Event]:
        """The whole run."""
        text = dump(plain(self.config, self.directory.path), f"written by declnet {declnet.__version__}")
        self.directory.write_config(text)
        rows = {name: len(numbers) for name, numbers in self.rows.splits.items()}
        yield Started(
            self.directory.path, self.config.name, self.parameters, rows, self.loop.epochs, self.rows.steps
        )
        record: Record = {}
        for epoch in range(1, self.loop.epochs + 1):
            begun = time.perf_counter()
            record = {"epoch": epoch, "train_loss": (yield from self._epoch(epoch, signals))}
            if "val" in rows:
                record |= {f"val_{name}": value for name, value in self._evaluate("val").items()}
            record["lr"] = self.optimization.settings[0].lr
            record["seconds"] = round(time.perf_counter() - begun, 6)
            self._require_finite(record)
            better = self.keeper.note(epoch, record.get("val_loss", record["train_loss"]), self.store.state_dict())
            self.directory.append(record)
            yield EpochEnded(record, better)
            if self.keeper.due(epoch):
                self._save(epoch, 0, self.order.bit_generator.state)
        yield Finished(self._finish(record))

    def _epoch(self, epoch: int, signals: Signals) -> Generator[Event, None, float]:
        """One pass over the training rows; the mean loss of a row."""
        rows = self.rows.splits["train"]
        order = self.order.bit_generator.state
        if self.loop.shuffle:
            rows = self.order.permutation(rows)
        total, seen, reported = 0.0, 0, time.perf_counter()
        for step, (plan, count) in enumerate(self.rows.batches(rows, self.model.plans, training=True), 1):
            try:
                total += self.optimization.step(plan) * count
            except NonFiniteError as error:
                raise self._diverged(f"epoch {epoch}, step {step}: {error.diagnostics[0].message}") from error
            seen += count
            now = time.perf_counter()
            if signals.received is not None:
                self._save(epoch - 1, step, order)
                where = f"epoch {epoch}, step {step}; {self.keeper.directory / 'last.npz'} holds what was learned"
                raise signals.refusal(f"stopped by a signal at {where}")
            if now - reported > REPORT_EVERY:
                reported = now
                yield Stepped(epoch, step)
        return total / seen

    def _require_finite(self, record: Record) -> None:
        """The losses of single steps were checked; the validation's, and the last step's doing, were not."""
        for name, value in record.items():
            if not math.isfinite(value):
                raise self._diverged(f"epoch {record['epoch']}: {name} is {value}")
        for name, array in self.store.state_dict().items():
            if not all(np.isfinite(block).all() for (block,) in blocks(array)):
                raise self._diverged(f"epoch {record['epoch']}: {name} holds what is not a finite number")

    def _diverged(self, message: str) -> NonFiniteError:
        """Say when, and what is left."""
        saved = self.keeper.saved_epoch
        kept = f"; {self.keeper.directory / 'last.npz'} holds epoch {saved}" if saved else ""
        return NonFiniteError(f"{message}{kept}; a lower optimizer.lr usually helps")

    def _evaluate(self, name: str) -> dict[str, float]:
        """Loss and metrics over a whole split."""
        return measure(self.experiment, self.rows, self.rows.splits[name], self.model.plans)

    def _save(self, epoch: int, step: int, order: Mapping[str, object]) -> None:
        """Write a checkpoint: `epoch` epochs are done, and `step` steps of the next, in the order drawn from
        this state of the shuffling generator.
        """
        meta: dict[str, object] = {"step_in_epoch": step, "step": self.optimization.step_count}
        meta["random"] = {"noise": self.noise.bit_generator.state, "shuffle": order}
        self.keeper.save(epoch, self._state, meta)

    def _state(self) -> dict[str, Array]:
        state = {f"model/{name}": array for name, array in self.store.state_dict().items()}
        return state | {f"optimizer/{name}": array for name, array in self.optimization.state_dict().items()}

    def _finish(self, record: Record) -> dict[str, object]:
        """Evaluate the best parameters, and write the summary."""
        best = self.keeper.best
        if best.state is not None:
            self.store.load_state_dict(best.state)
        summary: dict[str, object] = {
            "name": self.config.name,
            "declnet": declnet.__version__,
            "seed": self.config.seed,
            "epochs": self.loop.epochs,
            "steps": self.optimization.step_count,
            "parameters": self.parameters,
            "rows": {name: len(rows) for name, rows in self.rows.splits.items()},
            "last": record,
            "best_epoch": best.epoch,
        }
        for name in ("val", "test"):
            if name in self.rows.splits:
                summary[name] = for_json(self._evaluate(name))
        summary["run_dir"] = str(self.directory.path)
        summary["seconds"] = round(time.perf_counter() - self.started, 3)
        self.directory.write_summary(summary)
        return summary
