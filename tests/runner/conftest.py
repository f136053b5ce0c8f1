"""Training in this process: a config's text in, events and the run directory out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from declnet.runner.events import EpochEnded, Event, Finished
from declnet.runner.experiment import load
from declnet.runner.train import train
from runner.runs import TEXT

Arrays = dict[str, np.ndarray[Any, Any]]


@dataclass
class Trained:
    """What a run gave."""

    events: list[Event]
    path: Path

    @property
    def records(self) -> list[dict[str, Any]]:
        return [dict(event.record) for event in self.events if isinstance(event, EpochEnded)]

    @property
    def summary(self) -> dict[str, Any]:
        last = self.events[-1]
        assert isinstance(last, Finished)
        return last.summary

    def arrays(self, name: str, part: str = "model/") -> Arrays:
        """The arrays of a checkpoint, by state_dict name."""
        with np.load(self.path / "checkpoints" / name, allow_pickle=False) as archive:
            return {key.removeprefix(part): archive[key] for key in archive.files if key.startswith(part)}

    def meta(self, name: str) -> dict[str, Any]:
        with np.load(self.path / "checkpoints" / name, allow_pickle=False) as archive:
            found = json.loads(archive["meta"].item())
        assert isinstance(found, dict)
        return found


@pytest.fixture
def fit(folder: Path) -> Callable[..., Trained]:
    """Write the text to c.yaml in the current folder and train it, with settings as on the command line."""

    def run(text: str, *overrides: str, to: str = "r", watch: Callable[[Event], None] | None = None) -> Trained:
        Path("c.yaml").write_text(text, encoding="utf-8")
        events = []
        for event in train(load("c.yaml", overrides), Path(to)):
            events.append(event)
            if watch is not None:
                watch(event)
        return Trained(events, Path(to))

    return run


@pytest.fixture
def resumable(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A config in the current folder, and every step reported, so that a run can be stopped at any."""
    Path("c.yaml").write_text(TEXT, encoding="utf-8")
    monkeypatch.setattr("declnet.runner.training.REPORT_EVERY", -1)
