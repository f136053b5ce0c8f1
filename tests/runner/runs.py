"""Runs that are stopped at a step and gone on with, and whether two runs have come to the same."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from declnet.errors import Interrupted
from declnet.runner import resumption
from declnet.runner.events import Event, Stepped
from declnet.runner.experiment import load
from declnet.runner.train import resume, train

Stop = tuple[int, int]
"""An epoch, and a step of it."""

CHECKPOINTS = ("last.npz", "best.npz")


def started(*overrides: str, to: str = "r", stop: Stop | None = None) -> list[Event]:
    """Train c.yaml, and stop after a step. REPORT_EVERY must be below 0: the signal is sent a step before."""
    return _stopped(train(load("c.yaml", overrides), Path(to)), stop)


def continued(*overrides: str, to: str = "r", stop: Stop | None = None) -> list[Event]:
    """Go on, and stop after a step."""
    return _stopped(resume(resumption.load(Path(to), overrides), Path(to)), stop)


def _stopped(events: Any, stop: Stop | None) -> list[Event]:
    if stop is None:
        return list(events)
    epoch, step = stop
    seen: list[Event] = []

    def watch() -> None:
        for event in events:
            seen.append(event)
            if isinstance(event, Stepped) and (event.epoch, event.step) == (epoch, step - 1):
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted, match=f"stopped by a signal at epoch {epoch}, step {step};"):
        watch()
    return seen


def lines(run: str) -> list[dict[str, Any]]:
    """metrics.jsonl, without what no two runs share."""
    text = Path(run, "metrics.jsonl").read_text(encoding="utf-8")
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in text.splitlines()]


def summary(run: str) -> dict[str, Any]:
    """summary.json, without what no two runs share."""
    found = json.loads(Path(run, "summary.json").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    last = {key: value for key, value in found["last"].items() if key != "seconds"}
    return {key: value for key, value in found.items() if key not in ("seconds", "run_dir")} | {"last": last}


def same(one: str, other: str, reading: Callable[[str], dict[str, Any]] = summary) -> None:
    """Both runs have left the same, bit for bit."""
    assert lines(one) == lines(other)
    assert reading(one) == reading(other)
    for name in CHECKPOINTS:
        first, second = (Path(run, "checkpoints", name).read_bytes() for run in (one, other))
        assert first == second, name
    assert [p.name for p in sorted(Path(other, "checkpoints").iterdir())] == sorted(CHECKPOINTS)
    assert Path(one, "config.yaml").read_bytes() == Path(other, "config.yaml").read_bytes()
