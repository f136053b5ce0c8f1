"""Profiles of runs: the same bits as without, and everything in its place; never how long it took."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from declnet.errors import Interrupted
from declnet.runner import resumption
from declnet.runner.events import Event, Stepped
from declnet.runner.experiment import load
from declnet.runner.machine import Limits
from declnet.runner.profile import Profile, plain
from declnet.runner.profiler import Profiler
from declnet.runner.train import resume, train
from runner.runs import STEPS, TEXT, continued, same, started

EPOCHS = 4
PASSES = STEPS * EPOCHS
NODES = [
    ("0", "Linear"),
    ("1", "BatchNorm1d"),
    ("2", "ReLU"),
    ("3", "Dropout"),
    ("4", "Linear"),
    ("loss", "CrossEntropyLoss"),
]
ALWAYS = {"data", "optimizer", "evaluation", "checkpoints", "reading", "records", "loop"}


@pytest.fixture(autouse=True)
def quick(resumable: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that need not be measured."""
    monkeypatch.setattr("declnet.runner.profiler.limits", lambda _, nbytes: Limits(1e9, 1e9, nbytes, 5e8))


def profiled(*overrides: str, to: str = "p") -> Profile:
    watch = Profiler()
    list(train(load("c.yaml", overrides), Path(to), watch))
    return checked(watch.report())


def checked(profile: Profile | None) -> Profile:
    """One of which everything adds up."""
    assert profile is not None
    parts = sum(part.seconds for part in profile.parts) + profile.measuring
    assert profile.computing + parts == pytest.approx(profile.seconds, rel=1e-9)
    assert 0 <= profile.measuring < profile.seconds
    assert 0 < profile.stepping < profile.seconds
    assert 0 <= profile.unattributed < 1
    return profile


def parts(profile: Profile) -> dict[str, int]:
    return {part.name: part.calls for part in profile.parts}


SETTINGS = {
    "plain": (),
    "accumulate": ("loop.accumulate=3", "loop.ema=0.9", "loop.clip_norm=0.5"),
    "LBFGS": ("optimizer={type: LBFGS, lr: 0.1, max_iter: 3}", "loop.batch_size=full", "loop.clip_value=0.5"),
    "limited": ("loop.max_steps=15", "loop.drop_last=true", "dtype=float64"),
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_the_bits_are_the_same(settings: tuple[str, ...]) -> None:
    started(*settings)
    profiled(*settings)
    same("r", "p")


def test_every_node_and_every_part() -> None:
    profile = profiled()
    assert [(node.name, node.type) for node in profile.nodes] == NODES
    lines = TEXT.splitlines()
    assert [node.type in lines[node.mark.line - 1] for node in profile.nodes] == [True] * len(NODES)
    assert {node.mark.file for node in profile.nodes} == {"c.yaml"}
    assert [str(node.output) for node in profile.nodes] == [*["(32, 12)"] * 4, "(32, 10)", "()"]
    assert all(node.forward.seconds > 0 and node.backward.seconds > 0 for node in profile.nodes)
    assert (profile.steps, profile.runs) == (PASSES, PASSES)
    assert parts(profile).keys() == ALWAYS
    assert parts(profile)["data"] == parts(profile)["optimizer"] == PASSES
    assert parts(profile)["evaluation"] == EPOCHS + 2, "of each epoch, and of both splits at the end"
    assert parts(profile)["records"] == EPOCHS + 3, "the directory, its config, a line an epoch, the summary"


def test_figures_are_of_all_runs_the_smaller_ones_too() -> None:
    """Eleven batches of 32 rows and one of 7 an epoch: a product is 2 * rows * in * out."""
    profile = profiled("model.0.bias=false", "model.4.bias=false")
    first, last = profile.nodes[0], profile.nodes[4]
    rows = EPOCHS * (11 * 32 + 7)
    assert first.forward.cost.flops == rows * 2 * 64 * 12
    assert first.backward.cost.flops == first.forward.cost.flops, "the data need no gradient"
    assert last.forward.cost.flops == rows * 2 * 12 * 10
    assert last.backward.cost.flops == 2 * last.forward.cost.flops


def test_passes_of_accumulated_batches() -> None:
    """Four groups an epoch, of three batches each."""
    profile = profiled(*SETTINGS["accumulate"])
    assert (profile.steps, profile.runs) == (EPOCHS * 4, PASSES)
    assert parts(profile).keys() == ALWAYS | {"accumulation", "average", "clipping"}
    assert parts(profile)["data"] == PASSES
    for name in ("accumulation", "average", "clipping", "optimizer"):
        assert parts(profile)[name] == EPOCHS * 4


def test_passes_of_a_closure() -> None:
    profile = profiled(*SETTINGS["LBFGS"])
    assert profile.steps == parts(profile)["optimizer"] == EPOCHS
    assert profile.steps < profile.runs == parts(profile)["clipping"]


def test_the_parts_of_several_terms_and_calls() -> None:
    """Shared weights are a node each time; the sum of the terms belongs to none."""
    profile = profiled(
        "model.2={type: Identity, name: again}", "loss=[CrossEntropyLoss, {type: CrossEntropyLoss, scale: 2}]"
    )
    assert [node.type for node in profile.nodes][-2:] == ["CrossEntropyLoss"] * 2
    assert len({node.name for node in profile.nodes}) == len(profile.nodes)
    identity = profile.nodes[2]
    assert (identity.seconds, profile.share_of_limit(identity), profile.bound(identity.cost)) == (0, None, "")


def test_folds_are_one_profile() -> None:
    profile = profiled("loop.folds=3", "data.split={val: 0.1}")
    assert profile.steps == profile.runs > EPOCHS * 3
    assert [(node.name, node.type) for node in profile.nodes] == NODES
    assert parts(profile)["data"] == profile.steps


def test_a_run_that_goes_on_has_its_own_steps_only() -> None:
    started(stop=(2, 5))
    watch = Profiler()
    list(resume(resumption.load(Path("r")), Path("r"), watch))
    profile = checked(watch.report())
    assert profile.steps == profile.runs == PASSES - STEPS - 5
    started(to="whole")
    same("whole", "r")


def test_nothing_left_to_do_is_no_profile() -> None:
    started()
    watch = Profiler()
    list(resume(resumption.load(Path("r")), Path("r"), watch))
    assert watch.report() is None


def test_a_stopped_run_has_a_profile_and_goes_on_to_the_same() -> None:
    watch = Profiler()
    seen: list[Event] = []

    def run() -> None:
        for event in train(load("c.yaml"), Path("p"), watch):
            seen.append(event)
            if isinstance(event, Stepped) and (event.epoch, event.step) == (3, 3):
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted, match="stopped by a signal at epoch 3, step 4;"):
        run()
    profile = checked(watch.report())
    assert profile.steps == profile.runs == 2 * STEPS + 4
    started()
    continued(to="p")
    same("r", "p")


def test_it_is_plain_data() -> None:
    profile = profiled(*SETTINGS["accumulate"])
    found: dict[str, Any] = plain(profile)
    assert found.keys() == {"seconds", "steps", "runs", "limits", "nodes", "parts", "measuring", "unattributed"}
    assert found["limits"] | {"nbytes": 0} == {
        "flops": 1e9,
        "bandwidth": 1e9,
        "nbytes": 0,
        "memory": 5e8,
        "threads": 1,
    }
    node = found["nodes"][0]
    assert (node["file"], node["output"]) == ("c.yaml", {"shape": [32, 12], "kind": "float"})
    ways = [node[way]["seconds"] for node in found["nodes"] for way in ("forward", "backward")]
    rest = sum(part["seconds"] for part in found["parts"]) + found["measuring"]["seconds"]
    assert sum(ways) + rest == pytest.approx(found["seconds"])
    assert sum(part["share"] for part in found["parts"]) < 1
    for way in (node["forward"], node["backward"]):
        assert way["flops_per_second"] == way["flops"] / way["seconds"]
        assert way["share_of_limit"] == max(way["flops"], way["bytes"]) / 1e9 / way["seconds"]
    assert node["bound"] == ("compute" if node["forward"]["flops"] > node["forward"]["bytes"] else "memory")


def test_the_bytes_of_a_step_are_those_it_goes_through() -> None:
    """Parameters, gradients and Adam's two moments, each gap in them included, and the values between nodes."""
    small, large = profiled(to="a"), profiled("model.0.out_features=500", to="b")
    more = 4 * 4 * (500 - 12) * (64 + 1 + 2 + 10)
    assert large.limits.nbytes - small.limits.nbytes > more
    assert small.limits.nbytes > 4 * 4 * (12 * 64 + 10 * 12)
