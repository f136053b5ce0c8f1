"""A run that was stopped goes on to the same bits as one that never was."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from declnet.runner import checkpoint
from declnet.runner.directory import RunDirectory
from declnet.runner.events import Finished, Started
from runner.runs import OPTIMIZERS, STEPS, Stop, contents, continued, lines, same, started, summary

pytestmark = pytest.mark.usefixtures("resumable")

STOPS: list[Stop] = [(1, 2), (2, STEPS), (3, 7)]


def test_there_are_ten_optimizers() -> None:
    assert len(OPTIMIZERS) == 10


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_same_bits(name: str) -> None:
    """The first steps of an epoch, its end, the middle of a later one; each with the state of the optimizer."""
    chosen = f"optimizer={OPTIMIZERS[name]}"
    started(chosen, to="straight")
    for stop in STOPS:
        to = f"at-{stop[0]}-{stop[1]}"
        started(chosen, to=to, stop=stop)
        assert len(lines(to) if stop[0] > 1 else []) == stop[0] - 1
        assert not Path(to, "summary.json").exists()
        continued(to=to)
        same("straight", to)


@pytest.mark.parametrize("extra", [(), ("loop.shuffle=false",), ("dtype=float64", "loop.drop_last=true")])
def test_stopped_again_and_again(extra: tuple[str, ...]) -> None:
    started(*extra, to="straight")
    started(*extra, stop=(1, 5))
    for stop in [(1, 7), (1, 11), (2, 2), (4, 9), (4, 11)]:
        continued(stop=stop)
    continued()
    same("straight", "r")


@pytest.mark.parametrize("interval", ["epoch", "step"])
def test_the_rate_of_an_epoch_of_which_no_step_is_left(interval: str) -> None:
    """Its record has the rate of the last step, which was made before the run was stopped."""
    extra = f"scheduler={{type: ExponentialLR, gamma: 0.9, interval: {interval}}}"
    started(extra, to="straight")
    started(extra, stop=(2, STEPS))
    continued()
    same("straight", "r")


def test_the_epochs_can_grow() -> None:
    """No epoch knows which one is the last."""
    started(to="straight")
    started("loop.epochs=2")
    assert summary("r")["epochs"] == 2
    events = continued("loop.epochs=4")
    assert isinstance(events[0], Started)
    assert (events[0].done, events[0].epochs) == ((2, 0), 4)
    same("straight", "r")


def test_growing_while_in_the_middle() -> None:
    started(to="straight")
    started("loop.epochs=2", stop=(2, 4))
    continued("loop.epochs=4", stop=(2, 6))
    assert "epochs: 4" in Path("r/config.yaml").read_text(encoding="utf-8")
    continued()
    same("straight", "r")


def test_a_run_that_is_done_is_left_as_it_is() -> None:
    *_, last = started()
    assert isinstance(last, Finished)
    before = contents("r")
    for overrides in ((), ("loop.epochs=4",)):
        assert continued(*overrides) == [Finished(last.summary, before=True)]
        assert contents("r") == before


def test_killed_before_the_summary() -> None:
    started(to="straight")
    shutil.copytree("straight", "r")
    Path("r/summary.json").unlink()
    continued()
    same("straight", "r")


def test_killed_before_the_first_checkpoint() -> None:
    """It begins anew, and so do its lines."""
    started("loop.checkpoint_every=3", to="straight")
    with RunDirectory.create("net", Path("r")):
        shutil.copy("straight/config.yaml", "r")
    Path("r/metrics.jsonl").write_text('{"epoch": 1, "seconds": 0.5}\n{"ep', encoding="utf-8")
    events = continued()
    assert isinstance(events[0], Started)
    assert events[0].done is None
    same("straight", "r")


def test_lines_after_the_checkpoint_are_cut() -> None:
    started("loop.checkpoint_every=2", to="straight")
    started("loop.checkpoint_every=2", stop=(3, 5))
    with Path("r/metrics.jsonl").open("ab") as file:
        file.write(b'{"epoch": 3, "train_loss": 7}\n{"epoch": 4, "tr')
    continued()
    same("straight", "r")


def test_seconds_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    def clock() -> float:
        now[0] += 1
        return now[0]

    monkeypatch.setattr("declnet.runner.training.time.perf_counter", clock)
    started(to="straight")
    started(stop=(3, 7))
    continued()
    records = [json.loads(line) for line in Path("r/metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    ours = json.loads(Path("r/summary.json").read_text(encoding="utf-8"))["seconds"]
    whole = json.loads(Path("straight/metrics.jsonl").read_text(encoding="utf-8").splitlines()[2])["seconds"]
    assert records[2]["seconds"] == pytest.approx(whole, abs=4), "both parts of the epoch that was stopped in"
    assert ours > sum(record["seconds"] for record in records)


class Killed(BaseException):
    """What ends the process, from outside: nothing is cleaned up that a handler could still clean."""


@pytest.mark.parametrize("moment", ["last", "promote"])
def test_killed_within_a_checkpoint(monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """`best.npz` is of the epoch that `last.npz` names, wherever between the two the process ends."""
    every = "loop.checkpoint_every=1"
    started(every, to="straight")
    save, replace = checkpoint.save, Path.replace
    both = [Path("r/checkpoints/best.npz"), Path("r/checkpoints/best.next.npz")]

    def dying(path: Path, *rest: object) -> None:
        if moment == "last" and path.name == "last.npz" and all(map(Path.exists, both)):
            raise Killed
        save(path, *rest)  # type: ignore[arg-type] # as it was called

    def dying_replace(path: Path, target: Path) -> Path:
        if moment == "promote" and path.name == "best.next.npz" and both[0].exists():
            raise Killed
        return replace(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save", dying)
        patch.setattr(Path, "replace", dying_replace)
        with pytest.raises(Killed):
            started(every)
    old, new = (checkpoint.load(path)[1]["epoch"] for path in both)
    named = checkpoint.load(Path("r/checkpoints/last.npz"))[1]["best_epoch"]
    assert named == (old if moment == "last" else new) != (new if moment == "last" else old)
    continued()
    same("straight", "r")
