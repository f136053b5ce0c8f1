"""What the machine can do: rates that are measured, and so no number of theirs is known."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from declnet.core.spec import DType
from declnet.runner import machine


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_multiply_add_counts_as_two(dtype: DType, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []

    def best(action: Callable[[], object], seconds: float) -> float:
        given.append(action())
        return 0.5

    monkeypatch.setattr(machine, "best", best)
    assert machine.product_rate(dtype) == 4 * machine.SIZE**3
    assert [product.dtype == dtype and product[0, 0] == machine.SIZE for product in given] == [True]


def test_what_is_as_large_as_memory_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int | None] = []

    def copy_rate(nbytes: int | None = None, seconds: float = 0.1) -> float:
        asked.append(nbytes)
        return float(len(asked))

    monkeypatch.setattr(machine, "copy_rate", copy_rate)
    beyond = machine.beyond_caches()
    small, large = machine.limits("float32", 1000), machine.limits("float32", beyond + 1)
    assert asked == [beyond, 1000, beyond]
    assert (small.memory, small.bandwidth, small.nbytes) == (1.0, 2.0, 1000)
    assert (large.memory, large.bandwidth) == (3.0, 3.0)


@pytest.mark.parametrize("nbytes", [0, 1, 130, 1 << 20])
def test_a_copy_of_any_size(nbytes: int) -> None:
    assert machine.copy_rate(nbytes, seconds=0.0) > 0


def test_a_copy_on_all_threads_copies_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[np.ndarray[tuple[int], np.dtype[np.uint8]]] = []

    def aligned(size: int) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
        made.append(np.zeros(size, np.uint8))
        return made[-1]

    monkeypatch.setattr(machine, "aligned", aligned)
    machine.copy_rate(1001, seconds=0.0)
    source, target = made
    assert source.size == 500
    assert (target == 1).all()


def test_rounds_last_long_enough_for_the_clock() -> None:
    calls = 0

    def action() -> None:
        nonlocal calls
        calls += 1
        time.sleep(1e-4)

    assert machine.best(action, 0.0) >= 1e-4
    assert calls > machine.ROUNDS, "several calls a round"


def test_the_last_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for index, size in enumerate(("32K", "512K", "1536M", "8")):
        (tmp_path / f"index{index}").mkdir()
        (tmp_path / f"index{index}" / "size").write_text(f"{size}\n", encoding="ascii")
    monkeypatch.setattr(machine, "CACHES", tmp_path)
    assert machine.last_cache() == 1536 << 20
    assert machine.beyond_caches() == 4 * 1536 << 20


def test_the_last_cache_of_a_system_that_does_not_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "CACHES", tmp_path / "not" / "there")
    assert machine.last_cache() == machine.CACHE
