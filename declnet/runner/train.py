"""The epoch loop."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import declnet
from declnet.config.dump import dump
from declnet.config.plain import plain
from declnet.core.component import Loss
from declnet.core.random import generator
from declnet.core.spec import Array
from declnet.core.threads import threads_for
from declnet.data import table
from declnet.errors import DataError, NonFiniteError
from declnet.plan.plan import Plan
from declnet.runner import checkpoint
from declnet.runner.directory import RunDirectory
from declnet.runner.events import EpochEnded, Event, Finished, Started, Stepped
from declnet.runner.experiment import Experiment
from declnet.runner.model import Model, Optimization

REPORT_EVERY = 0.1
"""Seconds between two `Stepped` events at least: what follows a run on a screen costs the run next to nothing."""

CHECKPOINT_SHARE = 0.05
"""Share of the time that checkpoints may take, where the config does not say how often to write them."""


@dataclass(slots=True)
class Best:
    """The best epoch so far, with a copy of what it learned."""

    loss: float = float("inf")
    epoch: int = 0
    arrays: dict[str, Array] | None = None
    saved: bool = True


def train(experiment: Experiment, directory: Path | None = None) -> Iterator[Event]:
    """Train, and yield what happens. The run directory is made once everything has been read and allocated."""
    run = _Run(experiment, directory)
    # What overflows shows in the loss, which is checked at every step.
    with np.errstate(all="ignore"), threads_for(run.model.largest):
        yield from run.events()


class _Run:
    def __init__(self, experiment: Experiment, directory: Path | None) -> None:
        self.started = time.perf_counter()
        self.experiment, self.config = experiment, experiment.config
        self.loop = self.config.loop
        self.arrays = self._read()
        self.rows = self._split()
        self.noise = generator(self.config.seed, "noise")
        self.order = generator(self.config.seed, "shuffle")
        self.model = Model(experiment, self._sizes(), self.noise)
        self.model.store.initialize(generator(self.config.seed, "initialize"))
        self.optimization = Optimization(self.config.optimizer, self.model.store)
        self.best = Best()
        self.directory = RunDirectory.create(self.config.name, directory)
        self.saved_at, self.saving_took, self.saved_epoch = time.perf_counter(), 0.0, 0

    def _read(self) -> dict[str, Array]:
        """All fields' rows, with the targets checked."""
        fields = self.experiment.inputs | self.experiment.targets
        arrays = table.read(self.config.data.source, fields, self.config.dtype)
        graph = self.experiment.graph(1)
        call = next(call for call in graph.calls if isinstance(call.component, Loss))
        names = {value: name for name, value in graph.inputs.items()}
        target = names.get(call.inputs[-1])
        if target is not None and isinstance(call.component, Loss):
            call.component.check_target(graph.specs[call.inputs[0]], arrays[target])
        return arrays

    def _split(self) -> dict[str, Array]:
        """Row numbers by split; empty shares are left out."""
        count = len(next(iter(self.arrays.values())))
        shares = self.config.data.split
        names = ("train", "val", "test")
        pieces = table.split(count, [getattr(shares, n) for n in names], generator(self.config.seed, "split"))
        for name, piece in zip(names, pieces, strict=True):
            if not len(piece) and getattr(shares, name) > 0:
                raise DataError(
                    f"{count} rows are too few: a share of {getattr(shares, name):g} for {name} is none"
                )
        rows = {name: piece for name, piece in zip(names, pieces, strict=True) if len(piece)}
        if self.loop.drop_last and len(rows["train"]) < self.loop.batch_size:
            raise DataError(
                f"{len(rows['train'])} training rows give no full batch of {self.loop.batch_size}, and "
                "loop.drop_last leaves out the others: lower loop.batch_size"
            )
        return rows

    def _sizes(self) -> list[tuple[bool, int]]:
        """The plans that are needed: full batches and the smaller last ones."""
        sizes = []
        for name, rows in self.rows.items():
            full, rest = divmod(len(rows), self.loop.batch_size)
            training = name == "train"
            sizes += [(training, self.loop.batch_size)] * bool(full)
            sizes += [(training, rest)] * bool(rest and not (training and self.loop.drop_last))
        return sizes

    def _batches(self, rows: Array, *, training: bool) -> Iterator[tuple[Plan, int]]:
        """Put one batch after another into its plan's buffers."""
        size = self.loop.batch_size
        for start in range(0, len(rows), size):
            chosen = rows[start : start + size]
            plan = self.model.plans.get((training, len(chosen)))
            if plan is None:
                return  # the last batch, left out
            for name, buffer in plan.inputs.items():
                # `clip` spares a copy of the result; row numbers are always in range.
                np.take(self.arrays[name], chosen, axis=0, out=buffer, mode="clip")
            yield plan, len(chosen)

    def _evaluate(self, name: str) -> dict[str, float]:
        """Loss and metrics over a whole split."""
        meters = {metric.type: metric.meter() for metric in self.loop.metrics}
        total = 0.0
        for plan, rows in self._batches(self.rows[name], training=False):
            total += plan.run() * rows
            for meter in meters.values():
                meter.update(plan.output, plan.inputs[next(iter(self.experiment.targets))])
        figures = {"loss": total / len(self.rows[name])}
        return figures | {metric: meter.result() for metric, meter in meters.items()}

    def events(self) -> Iterator[Event]:
        """The whole run."""
        text = dump(plain(self.config, self.directory.path), f"written by declnet {declnet.__version__}")
        self.directory.write_config(text)
        parameters = sum(param.size for param in self.model.store.params.values())
        counts = {name: len(rows) for name, rows in self.rows.items()}
        yield Started(
            self.directory.path,
            self.config.name,
            parameters,
            counts,
            self.loop.epochs,
            self._steps_per_epoch(),
        )
        record: dict[str, float | int] = {}
        for epoch in range(1, self.loop.epochs + 1):
            begun = time.perf_counter()
            train_loss = yield from self._epoch(epoch)
            record = {"epoch": epoch, "train_loss": train_loss}
            if "val" in self.rows:
                record |= {f"val_{key}": value for key, value in self._evaluate("val").items()}
            record["lr"] = self.optimization.settings[0].lr
            record["seconds"] = round(time.perf_counter() - begun, 6)
            better = self._note_best(epoch, record)
            self.directory.append(record)
            yield EpochEnded(record, better)
            if self._checkpoint_due(epoch):
                self._save(epoch)
        yield Finished(self._finish(record))

    def _steps_per_epoch(self) -> int:
        full, rest = divmod(len(self.rows["train"]), self.loop.batch_size)
        return full + (rest > 0 and not self.loop.drop_last)

    def _epoch(self, epoch: int) -> Generator[Event, None, float]:
        """One pass over the training rows; the mean loss of a row."""
        rows = self.rows["train"]
        if self.loop.shuffle:
            rows = self.order.permutation(rows)
        total, seen = 0.0, 0
        reported = time.perf_counter()
        for step, (plan, count) in enumerate(self._batches(rows, training=True), 1):
            try:
                loss = self.optimization.step(plan)
            except NonFiniteError as error:
                raise self._diverged(epoch, step, error) from error
            total += loss * count
            seen += count
            now = time.perf_counter()
            if now - reported > REPORT_EVERY:
                reported = now
                yield Stepped(epoch, step)
        return total / seen

    def _diverged(self, epoch: int, step: int, error: NonFiniteError) -> NonFiniteError:
        """Say when, and what is left."""
        kept = f"; epoch {self.saved_epoch} is kept in {self.directory.checkpoints}" if self.saved_epoch else ""
        return NonFiniteError(f"epoch {epoch}, step {step}: {error}{kept}; a lower optimizer.lr usually helps")

    def _note_best(self, epoch: int, record: dict[str, float | int]) -> bool:
        """Keep a copy of the parameters where the validation loss (without one, the training loss) is lowest."""
        loss = record.get("val_loss", record["train_loss"])
        if loss >= self.best.loss:
            return False
        arrays = {f"model/{name}": array.copy() for name, array in self.model.store.state_dict().items()}
        self.best = Best(loss, epoch, arrays, saved=False)
        return True

    def _checkpoint_due(self, epoch: int) -> bool:
        """At the last epoch, and as often before as the config says, or as costs little."""
        every = self.loop.checkpoint_every
        if epoch == self.loop.epochs:
            return True
        if every is not None:
            return epoch % every == 0
        return time.perf_counter() - self.saved_at >= self.saving_took / CHECKPOINT_SHARE

    def _save(self, epoch: int) -> None:
        """Write last.npz, and best.npz where it is a new one."""
        begun = time.perf_counter()
        state = {f"model/{name}": array for name, array in self.model.store.state_dict().items()}
        state |= {f"optimizer/{name}": array for name, array in self.optimization.state_dict().items()}
        meta = {"epoch": epoch, "step": self.optimization.step_count, "best_epoch": self.best.epoch}
        random = {"noise": self.noise.bit_generator.state, "shuffle": self.order.bit_generator.state}
        checkpoint.save(self.directory.checkpoints / "last.npz", state, meta | {"random": random})
        if not self.best.saved and self.best.arrays is not None:
            checkpoint.save(self.directory.checkpoints / "best.npz", self.best.arrays, {"epoch": self.best.epoch})
            self.best.saved = True
        self.saved_epoch, self.saved_at = epoch, time.perf_counter()
        self.saving_took = self.saved_at - begun

    def _finish(self, record: dict[str, float | int]) -> dict[str, object]:
        """Evaluate the best parameters on the test split, and write the summary."""
        if self.best.arrays is not None:
            self.model.store.load_state_dict(checkpoint.part(self.best.arrays, "model/"))
        summary: dict[str, object] = {
            "name": self.config.name,
            "declnet": declnet.__version__,
            "seed": self.config.seed,
            "epochs": self.loop.epochs,
            "steps": self.optimization.step_count,
            "parameters": sum(param.size for param in self.model.store.params.values()),
            "rows": {name: len(rows) for name, rows in self.rows.items()},
            "last": record,
            "best_epoch": self.best.epoch,
        }
        summary |= {name: self._evaluate(name) for name in ("val", "test") if name in self.rows}
        summary["run_dir"] = str(self.directory.path)
        summary["seconds"] = round(time.perf_counter() - self.started, 3)
        self.directory.write_summary(summary)
        return summary
