"""A run as its directory tells of it. Nothing is written."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from declnet.config import yaml
from declnet.config.document import DIGITS
from declnet.errors import CheckpointError, ConfigError, dotted
from declnet.runner.directory import folds_of
from declnet.runner.files import machine

LARGEST = 64 << 20
"""Bytes of a summary, and of a line of metrics.jsonl, at most: many times what a run writes."""

T = TypeVar("T", bound=BaseModel)


def _printable(name: str) -> str:
    if not name.isprintable():
        raise ValueError(f"{name!r} is a name that cannot be shown")
    return name


Text = Annotated[str, AfterValidator(_printable)]
Count = Annotated[int, Field(ge=0, lt=10**DIGITS)]
Figures = dict[str, float | None]
"""Losses and metrics by name; None for what is not a finite number."""

State = Literal["finished", "running", "stopped"]

_STRICT = ConfigDict(strict=True, allow_inf_nan=False)


class _Record(BaseModel):
    """A line of metrics.jsonl: an epoch, and its figures by name."""

    model_config = _STRICT | ConfigDict(extra="allow")
    __pydantic_extra__: dict[Text, FiniteFloat | None]

    epoch: Count


class _Figures(BaseModel):
    """Figures by split."""

    model_config = _STRICT

    val: dict[Text, FiniteFloat | list[Any] | None] = {}
    test: dict[Text, FiniteFloat | list[Any] | None] = {}

    def figures(self) -> Figures:
        """All that are one number, under the names that metrics.jsonl has for them."""
        return {
            f"{split}_{name}": value
            for split, found in (("val", self.val), ("test", self.test))
            for name, value in found.items()
            if not isinstance(value, list)
        }


class _Summary(_Figures):
    """What is read of summary.json."""

    name: Text
    epochs: Count | None
    parameters: Count
    ended_by: Text | None = None
    best_epoch: Count
    seconds: FiniteFloat
    last: _Record


class _Loop(BaseModel):
    model_config = _STRICT

    epochs: Count | None = None
    folds: Count | None = None
    monitor: Text | None = None

    @property
    def higher_is_better(self) -> bool:
        """Whether the best epoch is that of the highest figure: a metric's own word, of a loss no."""
        if self.monitor is None or self.monitor.endswith("_loss"):
            return False
        from declnet.core.registry import metrics

        metric = metrics.get(self.monitor.removeprefix("val_").partition("(")[0])
        return metric is not None and bool(metric.higher_is_better)


class _Plan(BaseModel):
    """What is read of config.yaml."""

    model_config = _STRICT

    name: Text
    loop: _Loop


class _Fold(BaseModel):
    """What is read of a fold in the summary of a cross-validation."""

    model_config = _STRICT

    epochs: Count


class _Whole(BaseModel):
    """What is read of summary.json of a cross-validation."""

    model_config = _STRICT

    name: Text
    parameters: Count
    seconds: FiniteFloat
    folds: list[_Fold]
    mean: _Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What is known of a run."""

    path: Path
    name: str
    """What its config calls it."""
    started: datetime
    """When config.yaml was written, which comes before the first epoch."""
    state: State
    epochs: int
    """Epochs done."""
    planned: int | None
    best_epoch: int | None
    parameters: int | None = None
    """Only the summary tells."""
    seconds: float | None = None
    """As the summary has it."""
    figures: Figures
    """Of the best epoch on the validation rows, and of a finished run on the test rows; of a cross-validation the
    means over its folds.
    """
    folds: tuple[int, int] | None = None
    """How many folds of a cross-validation are done, and how many there are to be; None of a single run."""


def read(path: Path) -> Run:
    """The run in a directory, from its summary, or as far as it got from metrics.jsonl and config.yaml.

    Raises:
        ConfigError: the directory is not that of a run, or its config cannot be read.
        CheckpointError: another of its files is damaged.
        MachineError: a file cannot be read.
    """
    started = _date(path, config_of(path).st_mtime)
    if folds := folds_of(path):
        return _several(path, started, folds)
    found, state = _found(path, _Summary)
    if found is None:
        return _unfinished(path, started, state)
    return Run(
        path=path,
        name=found.name,
        started=started,
        state="finished",
        epochs=found.last.epoch,
        planned=found.epochs if found.ended_by in (None, "epochs") else None,
        best_epoch=found.best_epoch,
        parameters=found.parameters,
        seconds=found.seconds,
        figures=found.figures(),
    )


def _found(path: Path, kind: type[T]) -> tuple[T | None, State]:
    """The summary, where there is one, and the state of the run."""
    file = path / "summary.json"
    if (found := _summary(file, kind)) is not None:
        return found, "finished"
    if _in_use(path):
        return None, "running"
    found = _summary(file, kind)  # it may have ended in between
    return found, "stopped" if found is None else "finished"


def _several(path: Path, started: datetime, folds: Sequence[Path]) -> Run:
    """A cross-validation; what its folds have come to is looked at where it has no summary yet."""
    found, state = _found(path, _Whole)
    if found is not None:
        count = len(found.folds)
        return Run(
            path=path,
            name=found.name,
            started=started,
            state=state,
            epochs=sum(fold.epochs for fold in found.folds),
            planned=None,
            best_epoch=None,
            parameters=found.parameters,
            seconds=found.seconds,
            figures=found.mean.figures(),
            folds=(count, count),
        )
    plan = _plan(path / "config.yaml")
    begun = [read(fold) for fold in folds if (fold / "config.yaml").exists()]
    done = sum(fold.state == "finished" for fold in begun)
    return Run(
        path=path,
        name=plan.name,
        started=started,
        state=state,
        epochs=sum(fold.epochs for fold in begun),
        planned=None,
        best_epoch=None,
        figures={},
        folds=(done, plan.loop.folds or len(folds)),
    )


def config_of(path: Path) -> os.stat_result:
    """The state of a run's config.yaml. ConfigError where there is none: it is what makes a directory a run's."""
    if not str(path).isprintable():
        raise ConfigError(f"{path}: not the directory of a run: its name cannot be shown")
    with machine(f"read {path}"):
        try:
            return (path / "config.yaml").stat()
        except FileNotFoundError:
            raise ConfigError(f"{path}: not the directory of a run: it has no config.yaml") from None


def _date(path: Path, seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds).astimezone()
    except (ValueError, OverflowError, OSError):
        raise ConfigError(f"{path / 'config.yaml'}: its date is in no year that there is; touch it") from None


def _unfinished(path: Path, started: datetime, state: State) -> Run:
    plan = _plan(path / "config.yaml")
    last, best = _progress(path / "metrics.jsonl", plan.loop)
    figures = {} if best is None else best.__pydantic_extra__
    return Run(
        path=path,
        name=plan.name,
        started=started,
        state=state,
        epochs=0 if last is None else last.epoch,
        planned=plan.loop.epochs,
        best_epoch=None if best is None else best.epoch,
        figures={name: value for name, value in figures.items() if name.startswith("val_")},
    )


def _in_use(folder: Path) -> bool:
    """Whether a process has the folder locked, as a run does until it ends."""
    with machine(f"read {folder}"):
        descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks: nobody can tell
        return False
    else:
        return False
    finally:
        os.close(descriptor)  # and with it goes the lock


def _summary(path: Path, kind: type[T]) -> T | None:
    """The summary; None where the run has not come to one."""
    with machine(f"read {path}"), _opened(path) as file:
        text = None if file is None else _limited(file.read(LARGEST + 1), path)
    return None if text is None else _checked(kind.model_validate_json, text, str(path))


def _progress(path: Path, loop: _Loop) -> tuple[_Record | None, _Record | None]:
    """The last epoch and the best, by the figure that the run watches: where it names none, the validation loss or,
    without validation rows, the training loss.
    """
    last = best = None
    least = (True, float("inf"))
    sign = -1 if loop.higher_is_better else 1
    with machine(f"read {path}"), _opened(path) as file:
        number = 0
        # A last line without an end is being written, or the machine went down meanwhile.
        while file is not None and (line := _limited(file.readline(LARGEST + 1), path)).endswith(b"\n"):
            number += 1
            last = _checked(_Record.model_validate_json, line, f"{path}:{number}")
            figures = last.__pydantic_extra__
            names = ("val_loss", "train_loss") if loop.monitor is None else (loop.monitor, f"val_{loop.monitor}")
            name = next((name for name in names if name in figures), None)
            value = None if name is None else figures[name]
            if value is not None and (found := (name == "train_loss", sign * value)) < least:
                best, least = last, found
    return last, best


def _plan(path: Path) -> _Plan:
    return _checked(_Plan.model_validate, yaml.load(path).data, str(path), ConfigError)


def _opened(path: Path) -> AbstractContextManager[BinaryIO | None]:
    """The file to read; None where there is none."""
    if not path.exists():
        return nullcontext()
    if not stat.S_ISREG(path.stat().st_mode):  # opening a FIFO would wait for its writer
        raise CheckpointError(f"{path}: damaged: this is not a file")
    return path.open("rb")


def _limited(text: bytes, path: Path) -> bytes:
    if len(text) > LARGEST:
        raise CheckpointError(f"{path}: damaged: it is larger than anything a run writes")
    return text


def _checked(
    read: Callable[[Any], T], raw: object, where: str, error: type[ConfigError | CheckpointError] = CheckpointError
) -> T:
    """Read what a run has written, with a message where it cannot be that."""
    try:
        return read(raw)
    except ValidationError as refusal:
        first = refusal.errors(include_url=False)[0]
        if first["type"] == "json_invalid":
            raise error(f"{where}: damaged: this is not JSON, or only the beginning of it") from None
        place = dotted(first["loc"][:2])  # behind that, only which types were tried
        message = first["msg"].removeprefix("Value error, ")
        raise error(f"{where}: damaged: {f'{place}: ' if place else ''}{message}") from None
