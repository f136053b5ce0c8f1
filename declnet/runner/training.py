"""The epoch loop of one run."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import declnet
from declnet.config.dump import dump
from declnet.config.plain import plain
from declnet.core.metric import Result
from declnet.core.random import generator
from declnet.core.room import require_room
from declnet.core.spec import Array
from declnet.core.threads import threads_for
from declnet.errors import CheckpointError, Diagnostic, NonFiniteError, StepError
from declnet.plan.plan import Plan
from declnet.plan.store import take
from declnet.records import record
from declnet.runner import divergence
from declnet.runner.accumulation import Accumulation
from declnet.runner.average import Average
from declnet.runner.class_weights import weighted
from declnet.runner.clipping import clipping
from declnet.runner.directory import Record, RunDirectory
from declnet.runner.divergence import Origin, Undo
from declnet.runner.events import EpochEnded, Event, Finished, Started, Stepped
from declnet.runner.experiment import Experiment
from declnet.runner.keeper import Keeper
from declnet.runner.measure import for_json, measure
from declnet.runner.model import Model, Optimization
from declnet.runner.monitor import Ending, Mode, Monitor, Waiting, ending, lengths, monitor
from declnet.runner.position import Partial, Saved
from declnet.runner.rows import Rows
from declnet.runner.schedule import Schedule
from declnet.runner.scheduling import settled
from declnet.runner.signals import Signals
from declnet.runner.watch import UNWATCHED, Watch

if TYPE_CHECKING:
    from declnet.runner.initial import Taken

SPARE = 16 << 20
"""Bytes for what steps, checkpoints and records take for a moment."""

REPORT_EVERY = 0.1
"""Seconds between two `Stepped` events at least: what follows a run on a screen costs the run next to nothing."""


@record
class Within:
    """The cross-validation that a run is a fold of: which one, of how many, and where all of them are."""

    fold: int
    folds: int
    directory: Path


class Training:
    """One run, with everything allocated that it needs."""

    def __init__(
        self,
        experiment: Experiment,
        rows: Rows | None = None,
        within: Within | None = None,
        saved: Saved | None = None,
        watch: Watch = UNWATCHED,
    ) -> None:
        """Read the rows, if they have not been, and allocate. A run that begins also takes the weights that its
        config starts from. DataError where the data are wrong.
        """
        self.started = time.perf_counter()
        self.within, self.watch = within, watch
        learned = None if saved is None else saved.learned(experiment)
        self.rows = Rows(experiment, learned=learned) if rows is None else rows
        experiment = weighted(experiment, self.rows)
        self.experiment, self.loop = experiment, experiment.config.loop
        self.noise = self.rows.noise = generator(experiment.config.seed, "noise")
        self.config = settled(experiment.config, experiment.document, self.rows.steps)
        self.order = generator(self.config.seed, "shuffle")
        self.model = Model(experiment, self.rows.sizes(), self.noise)
        self.store = self.model.store
        self.store.initialize(generator(self.config.seed, "initialize"))
        self.schedule = Schedule(self.config.scheduler, [settings for settings, _ in self.model.groups])
        self.average = None if self.loop.ema is None else Average(self.loop.ema, self.store)
        self.optimization = Optimization(
            self.schedule.at(1, 0),
            self.store,
            clip=None if (clip := clipping(self.loop, self.store)) is None else self.watch.part("clipping", clip),
            follow=None if self.average is None else self.watch.part("average", self.average.update),
            careful=self.loop.on_nonfinite == "skip",
            watch=self.watch,
        )
        self.accumulation = None if self.loop.accumulate == 1 else Accumulation(self.rows, self.model, self.watch)
        self.undo = Undo(self.store) if self.loop.on_nonfinite == "skip" else None
        self.monitor = self._monitor(self.loop.monitor)
        self.waiting = Waiting()
        self.partial = Partial()
        self.taken = self._start() if saved is None else None
        self.init = None if self.taken is None else self.taken.plain
        best = sum(array.nbytes for array in self.store.state_dict().values())
        require_room(best + SPARE, "to train, and to keep the best epoch")
        self.parameters = sum(param.size for param in self.store.params.values())

    def _start(self) -> Taken | None:
        """Put the weights that the config starts from in place of what was drawn, if it has any."""
        init = self.config.init
        if init is None:
            return None
        from declnet.runner.initial import fill

        return fill(self.store, init, self.experiment.graph(self.experiment.batch), self.experiment.document)

    def events(
        self, directory: RunDirectory, saved: Saved | None = None, watched: Signals | None = None
    ) -> Iterator[Event]:
        """The whole run, or what is left of it; signals are watched by whoever runs several."""
        self.directory = directory
        self.keeper = Keeper(directory, self.loop.checkpoint_every, self.monitor, self.rows.learned.state_dict())
        # What overflows shows in the loss, which is checked at every step.
        watching: AbstractContextManager[Signals] = Signals() if watched is None else nullcontext(watched)
        with np.errstate(all="ignore"), threads_for(self.model.largest), watching as signals:
            yield from self._events(signals, saved)

    def _events(self, signals: Signals, saved: Saved | None) -> Iterator[Event]:
        if saved is None:
            self.directory.cut(0)
        epoch, record = (0, {}) if saved is None else self._restore(saved)
        self.watch.part("records", self._write_config)()
        rows = {name: len(numbers) for name, numbers in self.rows.splits.items()}
        done = None if saved is None else (epoch, self.partial.step)
        epochs, total = lengths(self.loop, self.rows.steps)
        fold = None if self.within is None else (self.within.fold, self.within.folds)
        self.watch.begin(self)
        yield Started(
            self.directory.path,
            self.config.name,
            self.parameters,
            rows,
            epochs,
            self.rows.steps,
            total,
            done,
            fold,
            self.taken,
        )
        while self.partial.step or self._ending(epoch) is None:
            begun, epoch = time.perf_counter() - self.partial.seconds, epoch + 1
            record = {"epoch": epoch, **(yield from self._epoch(epoch, signals))}
            with nullcontext() if self.average is None else self.average.applied():
                better = self._judge(record, begun)
            self.watch.part("records", self.directory.append)(record)
            yield EpochEnded(record, better)
            if self._ending(epoch) is not None or self.keeper.due(epoch):
                self._save(epoch, self.order.bit_generator.state, Partial())
        yield Finished(self._finish(record))

    def _write_config(self) -> None:
        text = dump(plain(self.config, self.directory.path), f"written by declnet {declnet.__version__}")
        self.directory.write_config(text)

    def _judge(self, record: Record, begun: float) -> bool:
        """Evaluate at the end of an epoch and complete its record; whether it is the best."""
        epoch = int(record["epoch"] or 0)
        last = self._ending(epoch) is not None
        if "val" in self.rows.splits and (last or epoch % self.loop.evaluate_every == 0):
            found = self._evaluate("val")
            figures = for_json(found) | {"loss": found["loss"]}  # a metric may be undefined, the loss may not
            record |= {f"val_{name}": value for name, value in figures.items() if not isinstance(value, list)}
        record["lr"] = self.optimization.settings[0].lr
        record["seconds"] = round(time.perf_counter() - begun, 6)
        self._require_finite(record)
        stopping = self.loop.early_stopping
        if stopping is not None:
            watched = self._monitor(stopping.monitor or self.loop.monitor, stopping.mode)
            if (figure := record.get(watched.name)) is not None:
                self.waiting = self.waiting.after(figure, stopping, watched)
        self.schedule.watch(record)
        value = record.get(self.monitor.name)
        note = self.watch.part("checkpoints", self.keeper.note)
        return value is not None and note(epoch, value, self.store.state_dict())

    def _monitor(self, name: str | None, mode: Mode | None = None) -> Monitor:
        found = monitor(self.loop, name, mode, validated="val" in self.rows.splits)
        if isinstance(found, str):
            raise AssertionError(f"a config that was checked: {found}")
        return found

    def _ending(self, epoch: int) -> Ending | None:
        return ending(self.loop, epoch, self.optimization.step_count, self.waiting)

    def _batches(self, rows: Array, skip: int) -> Iterator[tuple[Plan | Accumulation, int]]:
        """What each step of an epoch is made with, and how many rows: the first `skip` steps are done, and the last
        ones may be more than there are to be.
        """
        batches: Iterator[tuple[Plan | Accumulation, int]]
        if self.accumulation is None:
            batches = self.watch.each("data", self.rows.batches(rows, self.model.plans, training=True, skip=skip))
        else:
            batches = self.accumulation.groups(rows, self.loop.accumulate, skip)
        if self.loop.max_steps is None:
            return batches
        return islice(batches, max(0, self.loop.max_steps - self.optimization.step_count))

    def _epoch(self, epoch: int, signals: Signals) -> Generator[Event, None, Record]:
        """One pass over the training rows, or the rest of it; the mean loss of a row, and the steps left out."""
        rows = self.rows.splits["train"]
        order = self.order.bit_generator.state
        if self.loop.shuffle:
            rows = self.order.permutation(rows)
        partial, self.partial = self.partial, Partial()
        total, seen, skipped, begun = partial.loss, partial.rows, partial.skipped, time.perf_counter()
        reported, wrong = begun, "their losses or gradients are not finite"
        for step, (batch, count) in enumerate(self._batches(rows, partial.step), partial.step + 1):
            self.optimization.settings = self.schedule.at(epoch, self.optimization.step_count)
            try:
                if self.undo is not None:
                    self.undo.keep()
                total += self.optimization.step(batch) * count
                seen += count
            except StepError as error:
                if self.undo is None or error.changed:
                    raise self._stopped(epoch, step, error, batch) from error
                self.undo.restore()
                skipped, wrong = skipped + 1, error.message
            now = time.perf_counter()
            if signals.received is not None:
                self._require_finite({"epoch": epoch})  # before it is saved
                seconds = partial.seconds + now - begun
                done = Partial(step=step, loss=total, rows=seen, skipped=skipped, seconds=seconds)
                self._save(epoch - 1, order, done)
                whole = self.directory.path if self.within is None else self.within.directory
                kept = f"{self.keeper.last} holds what was learned; to go on: --resume {whole}"
                raise signals.refusal(f"{self._where}stopped by a signal at epoch {epoch}, step {step}; {kept}")
            if now - reported > REPORT_EVERY:
                reported = now
                yield Stepped(epoch, step)
        if not seen:
            raise self._diverged(f"epoch {epoch}: no step of {skipped} could be taken: {wrong}")
        return {"train_loss": total / seen, **({} if self.undo is None else {"skipped": skipped})}

    def _stopped(self, epoch: int, step: int, error: StepError, batch: Plan | Accumulation) -> NonFiniteError:
        """Say at which step, and find out where it began."""
        plans = [batch] if isinstance(batch, Plan) else batch.plans()
        origin = divergence.origin(error.what, plans, self.store, self.experiment.graph(self.experiment.batch))
        return self._diverged(f"epoch {epoch}, step {step}: {error.message}", origin)

    def _require_finite(self, record: Record) -> None:
        """Single steps were checked; the validation's figures, the average and running statistics were not."""
        for name, value in record.items():
            if value is not None and not math.isfinite(value):
                raise self._diverged(f"epoch {record['epoch']}: {name} is {value}")
        averages = {} if self.average is None else self.average.state_dict()
        for name, array in chain(self.store.state_dict().items(), averages.items()):
            if not divergence.finite(array):
                raise self._diverged(f"epoch {record['epoch']}: {name} holds what is not a finite number")

    def _diverged(self, message: str, origin: Origin | None = None) -> NonFiniteError:
        """Say when and where, and what is left."""
        saved = self.keeper.saved_epoch
        kept = f"; {self.keeper.directory / 'last.npz'} holds epoch {saved}" if saved else ""
        what, path = ("", ()) if origin is None else (f"; it begins in {origin.what}", origin.path)
        text = f"{self._where}{message}{what}{kept}; a lower optimizer.lr usually helps"
        return NonFiniteError(Diagnostic(text, path, self.experiment.document.mark(path) if path else None))

    @property
    def _where(self) -> str:
        """What a message begins with where this is one of several runs."""
        return "" if self.within is None else f"fold {self.within.fold} of {self.within.folds}: "

    def _evaluate(self, name: str) -> dict[str, Result]:
        """Loss and metrics over a whole split."""
        return self.watch.part("evaluation", measure)(self.model, self.rows, self.rows.splits[name])

    def _save(self, epoch: int, order: Mapping[str, object], partial: Partial) -> None:
        """Write a checkpoint: `epoch` epochs are done, and `partial` of the next, in the order drawn from this
        state of the shuffling generator.
        """
        meta: dict[str, object] = {"step": self.optimization.step_count, "partial": partial.model_dump()}
        meta |= {"waiting": self.waiting.model_dump(), "data": self.rows.digest}
        meta |= {} if self.init is None else {"init": self.init}
        meta["random"] = {"noise": self.noise.bit_generator.state, "shuffle": order}
        self.watch.part("checkpoints", self.keeper.save)(epoch, self._state, meta)

    def _restore(self, saved: Saved) -> tuple[int, Record]:
        """Bring everything to where the checkpoint was written; the epochs done, and the last one's record."""
        where = saved.position
        saved.require_data(self.rows.digest)
        if where.partial.step > self.rows.steps or (where.partial.step > where.partial.skipped) != (
            where.partial.rows > 0
        ):
            raise CheckpointError(f"{saved.path}: of another run: an epoch of this one has {self.rows.steps} steps")
        average = {} if self.average is None else self.average.state_dict()
        self.store.load_state_dict(saved.part("model/"), str(saved.path))
        self.optimization.load_state_dict(saved.part("optimizer/"), where.step, str(saved.path))
        take(average, saved.part("ema/"), "average", str(saved.path))
        take(self.schedule.state_dict(), saved.part("scheduler/"), "scheduler", str(saved.path))
        saved.restore(self.noise, "noise")
        saved.restore(self.order, "shuffle")
        self.partial, self.waiting, self.init = where.partial, where.waiting, where.init
        self.keeper.restore(where, self.store.state_dict())
        if where.partial.step:  # the epoch's record has the rate of its last step, which may be this one
            self.optimization.settings = self.schedule.at(where.epoch + 1, where.step - 1)
        records = self.directory.cut(where.epoch)
        self.directory.remove_summary()
        self.started -= sum(record["seconds"] or 0 for record in records) + where.partial.seconds
        return where.epoch, records[-1] if records else {}

    def _state(self) -> dict[str, Array]:
        parts = {"model": self.store.state_dict(), "optimizer": self.optimization.state_dict()}
        parts |= {"ema": {} if self.average is None else self.average.state_dict()}
        parts |= {"scheduler": self.schedule.state_dict()}
        return {f"{part}/{name}": array for part, state in parts.items() for name, array in state.items()}

    def _finish(self, record: Record) -> dict[str, object]:
        """Evaluate the best parameters, and write the summary."""
        best = self.keeper.best
        if best.state is not None:
            self.store.load_state_dict(best.state)
        summary: dict[str, object] = {
            "name": self.config.name,
            "declnet": declnet.__version__,
            "seed": self.config.seed,
            "epochs": record["epoch"],
            "ended_by": self._ending(int(record["epoch"] or 0)),
            "steps": self.optimization.step_count,
            "parameters": self.parameters,
            "rows": {name: len(rows) for name, rows in self.rows.splits.items()},
            "last": record,
            "best_epoch": best.epoch,
        }
        if self.init is not None:
            summary["init"] = self.init
        for name in ("val", "test"):
            if name in self.rows.splits:
                summary[name] = for_json(self._evaluate(name))
        if self.rows.learned.classes:
            summary["classes"] = {name: list(own) for name, own in self.rows.learned.classes.items()}
        summary["run_dir"] = str(self.directory.path)
        summary["seconds"] = round(time.perf_counter() - self.started, 3)
        self.watch.part("records", self.directory.write_summary)(summary)
        return summary
