from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import updates
from benchmarks.alone import sizes
from benchmarks.answers import digest, masked
from benchmarks.forms import EAGER
from benchmarks.frame import OURS, ROOT, Figure, differences
from benchmarks.memory import allocations, forget_peak, resident
from benchmarks.overhead import ALONE, Overhead, straight
from benchmarks.steps import Steps
from benchmarks.updates import Updates
from benchmarks.workers import Served
from benchmarks.workloads import SIZES, WORKLOADS, alone, chosen, quick
from declnet.core.registry import family, losses, modules, optimizers

SMALL = {"small": 1 << 14}


def answer(workload: Served, side: str) -> Sequence[Figure]:
    with workload.running(side) as running:
        running.once()
        return running.answer


def answers(workload: Served) -> Mapping[str, Sequence[Figure]]:
    return {side: answer(workload, side) for side in (OURS, EAGER)}


def names(words: Sequence[str]) -> list[str]:
    return [workload.name for workload in chosen(words)]


def test_a_word_chooses_by_name_group_beginning_or_pattern() -> None:
    assert names(["step-siamese"]) == ["step-siamese"]
    assert names(["alone-GELU"]) == ["alone-GELU-1M", "alone-GELU-tanh-1M", "alone-GELU-16M", "alone-GELU-tanh-16M"]
    assert names(["alone-L1*-1M", "overhead"]) == ["alone-L1Loss-1M", "overhead"]
    assert len(names(["optimizers"])) == 11
    with pytest.raises(KeyError, match="ReLU"):
        chosen(["step", "ReLU"])


def test_without_a_word_all_but_the_plots_are_chosen() -> None:
    assert set(names([])) == {name for name in WORKLOADS if not name.startswith("scaling-")}
    assert not [workload for workload in quick(chosen([])) if workload.name.endswith("-16M")]


def test_every_component_of_these_families_has_a_row() -> None:
    measured = {workload.component for workload in WORKLOADS.values() if workload.group == "alone"}  # type: ignore[attr-defined]
    families = {"activations", "normalization", "dropout"}
    there = {name for name, cls in modules.own().items() if family(cls) in families}
    assert measured == there | losses.own().keys()
    updated = {workload.optimizer for workload in WORKLOADS.values() if isinstance(workload, Updates)}
    assert updated == optimizers.own().keys()


@pytest.mark.parametrize("count", [*SIZES.values(), *SMALL.values()])
def test_every_shape_holds_the_elements_that_a_row_says(count: int) -> None:
    assert {math.prod(shape) for shape in sizes(count).values()} == {count}


@pytest.mark.torch
@pytest.mark.parametrize("workload", [*alone(SMALL)], ids=lambda workload: workload.name)
def test_both_sides_of_a_component_do_the_same(workload: Served) -> None:
    pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")
    found = answers(workload)
    assert [figure.name for figure in found[OURS]] == [figure.name for figure in found[EAGER]]
    assert differences(found) == {}


@pytest.mark.torch
@pytest.mark.parametrize("name", [name for name, w in WORKLOADS.items() if w.group == "steps"])
def test_both_sides_of_a_network_have_the_same_losses(name: str) -> None:
    pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")
    workload = WORKLOADS[name]
    assert isinstance(workload, Steps)
    assert differences(answers(replace(workload, batch=8))) == {}


@pytest.mark.torch
@pytest.mark.parametrize("name", [name for name, w in WORKLOADS.items() if w.group == "optimizers"])
def test_both_sides_of_an_optimizer_change_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")
    monkeypatch.setattr(updates, "SHAPES", ((30, 20), (30,), (7, 30)))
    workload = WORKLOADS[name]
    assert isinstance(workload, Updates)
    assert differences(answers(workload)) == {}


def test_a_digest_tells_other_numbers_apart() -> None:
    array = np.random.default_rng(0).standard_normal((50, 40))
    other = array.copy()
    other[10, 10] += 3.0
    same = {OURS: digest({"output": array}), "other": digest({"output": array * (1 + 1e-6)})}
    assert differences(same) == {}
    assert differences({OURS: digest({"output": array}), "other": digest({"output": other})})
    assert differences({OURS: digest({"output": array}), "other": digest({"output": array * 1.001})})


def dropped(p: float, scale: float, seed: int, rate: float | None = None) -> list[Figure]:
    rng = np.random.default_rng(0)
    x, upstream = rng.standard_normal(20_000), rng.uniform(0.5, 1.5, 20_000)
    mask = (np.random.default_rng(seed).random(20_000) >= (p if rate is None else rate)) * scale
    return masked(x, x * mask, upstream, upstream * mask, p=p, masks=x.size)


def test_masks_may_differ_but_not_what_they_do() -> None:
    ours = dropped(0.5, 2.0, seed=1)
    assert differences({OURS: ours, "other": dropped(0.5, 2.0, seed=2)}) == {}
    assert "slope" in differences({OURS: ours, "other": dropped(0.5, 1.9, seed=2)})["other"]
    assert "share dropped" in differences({OURS: ours, "other": dropped(0.5, 2.0, seed=2, rate=0.4)})["other"]


def test_the_calls_alone_are_those_of_the_plan() -> None:
    workload = WORKLOADS["overhead"]
    assert isinstance(workload, Overhead)
    add = np.add
    assert answer(workload, ALONE) == answer(workload, OURS)
    assert np.add is add
    with workload.running(ALONE) as running:
        assert running.facts["calls of NumPy"] > 200


def test_straight_lines_make_the_calls_in_order() -> None:
    a, b = np.arange(3.0), np.zeros(3)
    straight([(np.add, (a, 1.0), {"out": b}), (np.multiply, (b, b), {"out": b})])()
    assert b.tolist() == [1.0, 4.0, 9.0]


def test_allocations_of_a_call_are_seen() -> None:
    kept: list[Any] = []
    used = allocations(lambda: kept.append(np.ones(1000)))
    assert used["allocated at most, bytes"] >= 8000
    assert used["blocks kept"] >= 1
    assert used["bytes kept"] >= 8000
    still = np.ones(1000)
    calm = allocations(lambda: np.add(still, still, out=still))
    assert calm["allocated at most, bytes"] < 2000
    assert calm["blocks kept"] == 0


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux says what is resident")
def test_resident_memory_is_at_most_what_it_was_at_most() -> None:
    assert 1 << 20 < resident()["VmRSS"] <= resident()["VmHWM"]
    large = np.ones(1 << 25)
    before = resident()["VmHWM"]
    del large
    forget_peak()
    assert resident()["VmHWM"] < before - (1 << 27)


@pytest.mark.torch
def test_the_command_measures_shows_and_writes(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")
    file = tmp_path / "results.json"
    command = [sys.executable, "-m", "benchmarks", "step-digits-mlp", "process-mnist", "--quick", "--threads", "1"]
    done = subprocess.run(
        [*command, "--json", str(file), "--data", str(tmp_path / "nowhere")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "process-mnist is left out: DECLNET_TEST_DATA names no folder" in done.stdout
    limits, step = json.loads(file.read_text())["results"]
    assert (limits["name"], step["name"], step["wrong"], step["failed"]) == ("machine", "step-digits-mlp", [], {})
    assert list(step["seconds"]) == [OURS, EAGER, "PyTorch foreach", "PyTorch fused"]
    assert step["facts"][OURS]["operations"] > 0
    assert step["facts"][OURS]["allocated at most, bytes"] < 1 << 20


def test_an_unknown_word_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "step-nothing"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "no workload is called 'step-nothing'; --list prints all" in done.stderr
