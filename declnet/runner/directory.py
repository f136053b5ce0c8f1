"""The run directory: the only place a run writes to."""

from __future__ import annotations

import json
import re
from pathlib import Path

from declnet.errors import ConfigError
from declnet.runner.files import machine, replacing, sync_folder

RUNS = Path("runs")


class RunDirectory:
    """`config.yaml`, `metrics.jsonl`, `checkpoints/`, `summary.json`."""

    def __init__(self, path: Path) -> None:
        """Wrap a directory that exists."""
        self.path = path
        self.checkpoints = path / "checkpoints"
        self._metrics = path / "metrics.jsonl"

    @classmethod
    def create(cls, name: str, wanted: Path | None) -> RunDirectory:
        """Make `runs/<name>-<n>` with the next free number, or the directory that was asked for.

        ConfigError where that one exists and is not empty: a run never overwrites anything.
        """
        with machine(f"create the run directory {wanted or RUNS / name}"):
            path = cls._next(name) if wanted is None else cls._given(wanted)
            (path / "checkpoints").mkdir()
            sync_folder(path)
        return cls(path)

    @staticmethod
    def _given(path: Path) -> Path:
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise ConfigError(
                f"the run directory {path} exists already and is not an empty directory; a run never overwrites "
                "anything: name another with --run-dir, or remove it"
            )
        path.mkdir(parents=True, exist_ok=True)
        return path

    @staticmethod
    def _next(name: str) -> Path:
        RUNS.mkdir(exist_ok=True)
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
                return path

    def write_config(self, text: str) -> None:
        """Write the completed config."""
        with replacing(self.path / "config.yaml") as file:
            file.write(text.encode())

    def append(self, record: dict[str, float | int | None]) -> None:
        """Add an epoch's line to metrics.jsonl: one write, so a line is never torn by another process."""
        with machine(f"write {self._metrics}"), self._metrics.open("ab", buffering=0) as file:
            file.write(json.dumps(record, allow_nan=False).encode() + b"\n")

    def write_summary(self, summary: dict[str, object]) -> None:
        """Write summary.json."""
        with replacing(self.path / "summary.json") as file:
            file.write(json.dumps(summary, indent=2, allow_nan=False).encode() + b"\n")
