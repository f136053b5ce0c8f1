"""The run directory: the only place a run writes to."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Self

from declnet.errors import BusyError, CheckpointError, ConfigError
from declnet.runner.files import content, holder, lock, machine, make_folder, replacing, sync_folder

RUNS = Path("runs")

Record = dict[str, float | int | None]
"""An epoch's line in metrics.jsonl."""


class RunDirectory:
    """`config.yaml`, `metrics.jsonl`, `checkpoints/`, `summary.json`.

    `create` and `open` take it for this process alone, until the end of a `with` block.
    """

    def __init__(self, path: Path) -> None:
        """Wrap a directory that exists."""
        self.path = path
        self.checkpoints = path / "checkpoints"
        self._metrics = path / "metrics.jsonl"
        self._summary = path / "summary.json"
        self._lock: int | None = None
        self._made: list[Path] = []

    def __enter__(self) -> Self:
        """Use it."""
        return self

    def __exit__(self, *error: object) -> None:
        """Leave it to others; where no run came of it, as it was."""
        self._undo()
        if self._lock is not None:
            descriptor, self._lock = self._lock, None
            with machine(f"close the run directory {self.path}"):
                os.close(descriptor)

    def _undo(self) -> None:
        """Remove what was made for a run that wrote no config. What refused the run may refuse this too; the first
        refusal is the one that is told.
        """
        with suppress(OSError):
            if self._made and not (self.path / "config.yaml").exists():
                for made in reversed(self._made):
                    made.rmdir()

    def _take(self) -> Self:
        """BusyError where another process has it. A process that ends, however it ends, leaves it."""
        self._lock = lock(self.path)
        if self._lock is None:
            found = holder(self.path)
            who = "another process" if found is None else f"process {found}"
            raise BusyError(
                f"the run directory {self.path} is in use by {who}; wait until that has ended, or train in another "
                "directory"
            )
        return self

    @classmethod
    def open(cls, path: Path, *, checkpoints: bool = True) -> RunDirectory:
        """Take the directory of an earlier run, to go on with it; one without checkpoints is that of several."""
        directory = cls(path)
        with machine(f"open the run directory {path}"):
            directory._take()
            if checkpoints:
                directory.checkpoints.mkdir(exist_ok=True)  # killed before it was made
        return directory

    @classmethod
    def create(cls, name: str, wanted: Path | None, *, checkpoints: bool = True) -> RunDirectory:
        """Make `runs/<name>-<n>` with the next free number, or the directory that was asked for.

        ConfigError where that one exists and is not empty: a run never overwrites anything. Whether it is, is seen
        once it is taken: of several that start at once one has it to itself, and the others say so.
        """
        with machine(f"create the run directory {wanted or RUNS / name}"):
            there = wanted is not None and wanted.exists()
            directory = cls(cls._next(name) if wanted is None else cls._given(wanted))
            directory._made += [] if there else [directory.path]
            try:
                directory._take()
                if any(directory.path.iterdir()):
                    raise _there(directory.path)
                if checkpoints:
                    directory.checkpoints.mkdir()
                    directory._made.append(directory.checkpoints)
                sync_folder(directory.path)
            except BusyError:  # who has it may not have begun to write
                raise
            except BaseException:
                directory.__exit__()
                raise
        return directory

    @staticmethod
    def _given(path: Path) -> Path:
        if path.exists() and not path.is_dir():
            raise _there(path)
        make_folder(path)
        return path

    @staticmethod
    def _next(name: str) -> Path:
        make_folder(RUNS)
        pattern = re.compile(re.escape(name) + r"-(\d+)")
        taken = [int(m[1]) for entry in RUNS.iterdir() if (m := pattern.fullmatch(entry.name))]
        number = max(taken, default=0) + 1
        while True:
            path = RUNS / f"{name}-{number}"
            try:
                path.mkdir()
            except FileExistsError:  # another run was faster
                number += 1
            else:
                sync_folder(RUNS)
                return path

    def fold(self, number: int) -> Path:
        """The directory of a fold, within that of a cross-validation."""
        return self.path / f"fold-{number}"

    def write_config(self, text: str) -> None:
        """Write the completed config."""
        with replacing(self.path / "config.yaml") as file:
            file.write(text.encode())

    def append(self, record: Record) -> None:
        """Add an epoch's line to metrics.jsonl: one write, so whoever reads meanwhile finds it whole. A full disk
        may take a part of it; then it refuses the rest.
        """
        line = json.dumps(record, allow_nan=False).encode() + b"\n"
        with machine(f"write {self._metrics}"), self._metrics.open("ab", buffering=0) as file:
            while line:
                line = line[file.write(line) :]

    def sync(self) -> None:
        """Make the lines so far last: a checkpoint is not to know of epochs that metrics.jsonl has lost."""
        with machine(f"write {self._metrics}"):
            if self._metrics.exists():
                with self._metrics.open("rb") as file:
                    os.fsync(file.fileno())
                sync_folder(self.path)

    def cut(self, epoch: int) -> list[Record]:
        """Leave only the lines up to an epoch in metrics.jsonl, and read them: the rest is trained again."""
        text = content(self._metrics) or b""
        try:
            lines = text.split(b"\n")[:epoch]
            records: list[Record] = [json.loads(line, parse_constant=int) for line in lines]  # NaN is no int
            right = len(records) == epoch and all(map(_tells_of, range(1, epoch + 1), records))
        except (ValueError, RecursionError):
            right = False
        if not right:
            raise CheckpointError(
                f"{self._metrics}: damaged: expected a line for each of the {epoch} epochs that the checkpoint has "
                "done; put the file back as the run wrote it"
            )
        kept = b"".join(line + b"\n" for line in lines)
        if kept != text:
            with replacing(self._metrics) as file:
                file.write(kept)
        return records

    def write_summary(self, summary: dict[str, object]) -> None:
        """Write summary.json: the run is done."""
        with replacing(self._summary) as file:
            file.write(json.dumps(summary, indent=2, allow_nan=False).encode() + b"\n")

    def summary(self) -> dict[str, object] | None:
        """The summary of a run that is done, else None."""
        text = content(self._summary)
        try:
            found = None if text is None else json.loads(text)
        except (ValueError, RecursionError):
            found = text
        if not isinstance(found, dict | None):
            raise CheckpointError(f"{self._summary}: damaged; remove it, and it is made again")
        return found

    def remove_summary(self) -> None:
        """The run goes on: it is not done."""
        content(self._summary)  # refuses what is none
        with machine(f"remove {self._summary}"):
            self._summary.unlink(missing_ok=True)
            sync_folder(self.path)


def _there(path: Path) -> ConfigError:
    return ConfigError(
        f"the run directory {path} exists already and is not an empty directory; a run never overwrites anything: "
        "name another with --run-dir, or remove it"
    )


def folds_of(path: Path) -> list[Path]:
    """The directories of the folds, where a directory is that of a cross-validation."""
    with machine(f"read {path}"):
        if (path / "checkpoints").exists():
            return []
        found = [fold for fold in path.glob("fold-*") if fold.name.removeprefix("fold-").isdecimal()]
    return sorted(found, key=lambda fold: int(fold.name.removeprefix("fold-")))


def _tells_of(epoch: int, record: object) -> bool:
    """Whether this is the record of an epoch: numbers by name, those among them that every epoch has."""
    if not isinstance(record, dict) or record.get("epoch") != epoch:
        return False
    always = all(isinstance(record.get(name), float | int) for name in ("train_loss", "lr", "seconds"))
    return always and all(isinstance(value, float | int | None) for value in record.values())
