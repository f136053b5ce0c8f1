"""A run as it goes: a bar on a terminal, a line an epoch elsewhere."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from declnet.app.output import count, figure
from declnet.runner.events import EpochEnded, Event, Finished, FoldEnded, Started, Stepped

if TYPE_CHECKING:
    from rich.progress import TaskID

Show = Callable[[Event], None]


@contextmanager
def silent() -> Iterator[Show]:
    """Show nothing."""
    yield lambda _: None


class Progress(ABC):
    """Shows events on a stream."""

    _lr: float | None = None
    """The rate of the epoch before."""
    _fold = ""
    """What lines begin with in a cross-validation."""

    def closing(self, event: EpochEnded, epochs: int) -> str:
        """The line after an epoch; with lr where that is another than in the epoch before."""
        before, self._lr = self._lr, event.record["lr"]
        return self._fold + closing(event, epochs, changed=before not in (None, self._lr))

    def opening(self, event: Started) -> str:
        """The line before the first epoch, of a run or of a fold."""
        self._lr = None
        self._fold = "" if event.fold is None else f"fold {event.fold[0]}/{event.fold[1]}  "
        return opening(event)

    @staticmethod
    def to(stream: TextIO) -> Bar | Lines:
        """The form that fits the stream."""
        return Bar(stream) if stream.isatty() else Lines(stream)

    def __enter__(self) -> Show:
        """Start to show."""
        return self.show

    @abstractmethod
    def __exit__(self, *error: object) -> None:
        """Leave the screen in order."""

    @abstractmethod
    def show(self, event: Event) -> None:
        """Show one event."""


def opening(event: Started) -> str:
    """The line before the first epoch."""
    rows = ", ".join(f"{count(number)} {name}" for name, number in event.rows.items())
    fold = "" if event.fold is None else f"fold {event.fold[0]} of {event.fold[1]}: "
    text = f"{fold}{event.name}: {count(event.parameters)} parameters; rows: {rows}; {event.directory}"
    if event.taken is not None:
        from declnet.app.taken import taken_lines

        text = "\n".join([text, *taken_lines(event.taken)])
    if event.done is None:
        return text
    epochs, steps = event.done
    return f"{text}\ngoing on after epoch {epochs} of {event.epochs}{f' and {steps} steps' if steps else ''}"


def unchanged(event: Finished) -> str:
    """The line where there was nothing left to do."""
    if isinstance(folds := event.summary.get("folds"), list):
        return f"all {len(folds)} folds are done, and were left as they are; loop.epochs=N makes them longer"
    end = event.summary.get("ended_by")
    longer = "; loop.epochs=N makes it longer" if end == "epochs" else f"; {end} ended it"
    return f"this run is done, after epoch {event.summary.get('epochs')}, and was left as it is{longer}"


def after_fold(event: FoldEnded) -> str:
    """The line after a fold of a cross-validation."""
    found = event.summary.get("test")
    figures = found.items() if isinstance(found, dict) else ()
    numbers = [f"test_{name} {figure(value)}" for name, value in figures if not isinstance(value, list)]
    which = "done before" if event.before else f"best epoch {event.summary.get('best_epoch')}"
    return "  ".join([f"fold {event.fold}/{event.folds}", which, *numbers])


def closing(event: EpochEnded, epochs: int, *, changed: bool) -> str:
    """The line after an epoch; with lr where it has changed, and the steps that were left out, if any."""
    record = event.record
    others = ("epoch", "skipped", "lr", "seconds")
    figures = [f"{name} {figure(value)}" for name, value in record.items() if name not in others]
    if record.get("skipped"):
        figures.append(f"{record['skipped']} skipped")
    if changed:
        figures.append(f"lr {record['lr']:.4g}")
    best = "  best" if event.best else ""
    return f"epoch {record['epoch']:>{len(str(epochs))}}/{epochs}  {'  '.join(figures)}{best}"


class Lines(Progress):
    """Plain lines, without control codes."""

    def __init__(self, stream: TextIO) -> None:
        """Write to this stream."""
        self._stream = stream
        self._epochs = 0

    def __exit__(self, *error: object) -> None:
        """Every line is out already."""

    def show(self, event: Event) -> None:
        """A line at the start and one an epoch."""
        if isinstance(event, Started):
            self._epochs = event.epochs
            print(self.opening(event), file=self._stream, flush=True)
        elif isinstance(event, EpochEnded):
            print(self.closing(event, self._epochs), file=self._stream, flush=True)
        elif isinstance(event, FoldEnded):
            print(after_fold(event), file=self._stream, flush=True)
        elif isinstance(event, Finished) and event.before:
            print(unchanged(event), file=self._stream, flush=True)


class Bar(Progress):
    """A bar over all steps, with rate and time left, and the latest epoch's figures."""

    def __init__(self, stream: TextIO) -> None:
        """Draw on this terminal."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._console = Console(file=stream)
        self._bar = RichProgress(
            TextColumn("{task.description}epoch {task.fields[epoch]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            auto_refresh=False,
        )
        self._task: TaskID | None = None
        self._steps = self._epochs = self._before = 0
        self._since = self._drawn = time.perf_counter()

    def __enter__(self) -> Show:
        """Start to draw."""
        self._bar.start()
        return self.show

    def __exit__(self, *error: object) -> None:
        """Take the bar away and show the cursor again."""
        self._bar.stop()

    def show(self, event: Event) -> None:
        """Move the bar, or print a line above it."""
        if isinstance(event, Started):
            self._steps, self._epochs = event.steps, event.epochs
            self._since = time.perf_counter()
            self._console.print(self.opening(event), highlight=False, markup=False)
            if self._task is not None:  # of the fold before
                self._bar.remove_task(self._task)
            self._task = self._bar.add_task(self._fold, total=event.total, epoch="1", rate="")
            self._before = 0
            if event.done is not None:
                epochs, steps = event.done
                self._before = epochs * self._steps + steps
        elif isinstance(event, Stepped):
            self._move(event.epoch, (event.epoch - 1) * self._steps + event.step)
        elif isinstance(event, EpochEnded):
            epoch = int(str(event.record["epoch"]))
            self._console.print(self.closing(event, self._epochs), highlight=False, markup=False)
            self._move(epoch, epoch * self._steps)
        elif isinstance(event, FoldEnded):
            self._console.print(after_fold(event), highlight=False, markup=False)
        elif isinstance(event, Finished) and event.before:
            self._console.print(unchanged(event), highlight=False, markup=False)

    def _move(self, epoch: int, done: int) -> None:
        if self._task is None:
            raise AssertionError("a run starts with Started")
        rate = (done - self._before) / max(time.perf_counter() - self._since, 1e-9)
        self._bar.update(
            self._task,
            completed=done,
            epoch=f"{epoch}/{self._epochs}",
            rate=f"{rate:,.0f} steps/s",
            refresh=True,
        )
