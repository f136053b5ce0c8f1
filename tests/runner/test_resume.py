"""A run that was stopped goes on to the same bits as one that never was."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from declnet.core.registry import optimizers
from declnet.errors import BusyError, CheckpointError, ConfigError, DataError, MachineError
from declnet.runner import checkpoint, resumption
from declnet.runner.directory import RunDirectory
from declnet.runner.events import Finished, Started
from declnet.runner.experiment import load
from declnet.runner.files import lock
from declnet.runner.train import train
from runner.runs import Stop, continued, lines, same, started, summary

if TYPE_CHECKING:
    from conftest import Command

TEXT = """\
name: net
seed: 3
data: {source: Digits, split: {train: 0.2, val: 0.1, test: 0.05}}
model:
  - {type: Linear, out_features: 12}
  - BatchNorm1d
  - ReLU
  - {type: Dropout, p: 0.3}
  - {type: Linear, out_features: 10}
loss: CrossEntropyLoss
optimizer: AdamW
loop: {epochs: 4, batch_size: 32, metrics: [accuracy]}
"""
"""359 rows: eleven batches of 32, and one of 7."""
STEPS = 12

SETTINGS = {
    "SGD": "{type: SGD, lr: 0.1, momentum: 0.9, nesterov: true, weight_decay: 1e-3}",
    "Adam": "{type: Adam, amsgrad: true}",
    "RMSprop": "{type: RMSprop, momentum: 0.5, centered: true}",
    "LBFGS": "{type: LBFGS, lr: 0.1, max_iter: 3, history_size: 4}",
}
"""Those whose defaults leave out a part of the state, or take long."""
OPTIMIZERS = {name: SETTINGS.get(name, name) for name in optimizers.own()}

STOPS: list[Stop] = [(1, 2), (2, STEPS), (3, 7)]


@pytest.fixture(autouse=True)
def config(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("c.yaml").write_text(TEXT, encoding="utf-8")
    monkeypatch.setattr("declnet.runner.train.REPORT_EVERY", -1)


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


def contents(run: str) -> dict[str, tuple[int, bytes]]:
    """All files with their times."""
    files = (path for path in Path(run).rglob("*") if path.is_file())
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


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
    RunDirectory.create("net", Path("r")).__exit__()
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

    monkeypatch.setattr("declnet.runner.train.time.perf_counter", clock)
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


def npz(path: Path, **changes: object) -> None:
    """Write a checkpoint again with another meta."""
    arrays, meta = checkpoint.load(path)
    checkpoint.save(path, arrays, meta | changes)


GONE = "r/checkpoints/last.npz"
REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "no checkpoint": (lambda last: last.unlink(), f"{GONE}: no such checkpoint"),
    "damaged": (
        lambda last: last.write_bytes(last.read_bytes()[:-100]),
        f"{GONE}: not a checkpoint of declnet, or damaged: File is not a zip file",
    ),
    "newer": (
        lambda last: npz(last, format=2),
        f"{GONE}: written by a newer declnet (format 2, this one reads up to 1); upgrade",
    ),
    "says too little": (
        lambda last: checkpoint.save(last, {}, {"epoch": -1}),
        f"{GONE}: a run cannot go on from it: epoch: input should be greater than or equal to 0; it is damaged, or "
        "was written by another version of declnet",
    ),
    "another model": (
        lambda last: checkpoint.save(
            last, {"model/0.weight": np.ones(3)}, {"data": checkpoint.load(last)[1]["data"]}
        ),
        f"{GONE} is of another model: it lacks 0.bias, 1.bias, 1.num_batches_tracked, "
        "1.running_mean, 1.running_var, 1.weight, 4.bias, 4.weight",
    ),
    "another optimizer": (
        lambda last: checkpoint.save(
            last,
            {k: v for k, v in checkpoint.load(last)[0].items() if "exp_avg" not in k},
            {"data": checkpoint.load(last)[1]["data"]},
        ),
        f"{GONE} is of another optimizer: it lacks 0/exp_avg, 0/exp_avg_sq",
    ),
    "no random state": (
        lambda last: npz(last, random={"noise": {"bit_generator": "PCG64"}}),
        f"{GONE}: damaged: no state of the generator of noise",
    ),
    "more steps than an epoch has": (
        lambda last: npz(last, partial={"step": 13, "loss": 1.0, "rows": 1, "seconds": 0.0}),
        f"{GONE}: of another run: an epoch of this one has 12 steps",
    ),
    "a best epoch of another model": (
        lambda last: checkpoint.save(last.with_name("best.npz"), {"model/x": np.ones(3)}, {"epoch": 2}),
        "r/checkpoints/best.npz is of another model: it lacks 0.bias, 0.weight, 1.bias, 1.num_batches_tracked, "
        "1.running_mean, 1.running_var, 1.weight, 4.bias, 4.weight and has x, which the model has not",
    ),
    "steps without rows": (
        lambda last: npz(last, partial={"step": 3, "loss": 1.0, "rows": 0, "seconds": 0.0}),
        f"{GONE}: of another run: an epoch of this one has 12 steps",
    ),
    "another best epoch": (
        lambda last: npz(last.with_name("best.npz"), epoch=7),
        f"r/checkpoints/best.npz: does not hold epoch 2, the best of {GONE}",
    ),
    "a line is missing": (
        lambda _: Path("r/metrics.jsonl").write_text('{"epoch": 2}\n', encoding="utf-8"),
        "r/metrics.jsonl: damaged: expected a line for each of the 2 epochs that the checkpoint has done; put the "
        "file back as the run wrote it",
    ),
    "a line is no JSON": (
        lambda _: Path("r/metrics.jsonl").write_text('{"epoch": 1}\n{"epoch": NaN}\n', encoding="utf-8"),
        "r/metrics.jsonl: damaged: expected a line for each of the 2 epochs that the checkpoint has done; put the "
        "file back as the run wrote it",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_run_cannot_go_on_from(case: str) -> None:
    started(stop=(3, 2))
    change, message = REFUSED[case]
    change(Path(GONE))
    before = contents("r")
    with pytest.raises(CheckpointError) as caught:
        continued()
    assert str(caught.value) == f"error: {message}"
    assert contents("r") == before


def test_other_data(table: Path) -> None:
    """A run knows its rows again."""
    text = TEXT.replace(
        "source: Digits",
        "source: {type: CSV, path: t.csv}, inputs: [a, b], targets: {y: {columns: c, dtype: int64}}",
    )
    Path("c.yaml").write_text(text.replace("train: 0.2", "train: 0.6"), encoding="utf-8")
    started("loop.batch_size=4", stop=(2, 2))
    rows = table.read_text(encoding="utf-8")
    table.write_text(rows.replace("19,38,1", "19,38.5,1"), encoding="utf-8")
    with pytest.raises(DataError, match="the rows are not those that this run began with"):
        continued()
    table.write_text(rows, encoding="utf-8")
    continued()


def test_a_summary_that_is_none() -> None:
    started()
    Path("r/summary.json").write_text("{", encoding="utf-8")
    with pytest.raises(CheckpointError) as caught:
        continued()
    assert str(caught.value) == "error: r/summary.json: damaged; remove it, and it is made again"


def test_a_run_in_use() -> None:
    started(stop=(2, 2))
    with RunDirectory.open(Path("r")), pytest.raises(BusyError) as caught:
        continued()
    assert str(caught.value) == "error: the run directory r is in use by another process"
    assert caught.value.exit_code == 7
    continued()


def test_an_empty_directory_in_use() -> None:
    Path("empty").mkdir()
    held = lock(Path("empty"))
    assert held is not None
    with pytest.raises(BusyError, match="empty is in use"):
        started(to="empty")
    os.close(held)
    started(to="empty")


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EBADF])
def test_a_file_system_without_locks(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("declnet.runner.files.fcntl.flock", refuse)
    started(stop=(2, 2))
    continued()
    assert summary("r")["epochs"] == 4


def test_a_file_system_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("declnet.runner.files.fcntl.flock", refuse)
    with pytest.raises(MachineError, match="cannot create the run directory r: Input/output error"):
        started()


CHANGED = """\
c.yaml:2:7: error: seed: 3 in r/config.yaml, 4 here
    seed: 4
          ^
c.yaml:8:24: error: model[3].p: 0.3 in r/config.yaml, 0.4 here
      - {type: Dropout, p: 0.4}
                           ^
<command line>:2:11: error: optimizer: {type: AdamW, lr: 0.001, betas: [0.9, 0.999], eps: 1e-08, \
weight_decay: 0.01, amsgrad: false, maximize: false} in r/config.yaml, {type: SGD, lr: 0.5, momentum: 0.0, \
dampening: 0.0, weight_decay: 0.0, nesterov: false, maximize: false} here
    optimizer={type: SGD, lr: 0.5}
              ^
<command line>:1:13: error: loop.epochs: 4 in r/config.yaml, 3 here
    loop.epochs=3
                ^
error: a run goes on with the config it began with; only loop.epochs can change, to more: leave the others as they \
are, or train a new run"""


def test_a_changed_config_is_refused() -> None:
    started(stop=(2, 2))
    assert resumption.load(Path("r"), (), Path("c.yaml")).config == load("r/config.yaml").config
    text = TEXT.replace("seed: 3", "seed: 4").replace("p: 0.3", "p: 0.4")
    Path("c.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        resumption.load(Path("r"), ["loop.epochs=3", "optimizer={type: SGD, lr: 0.5}"], Path("c.yaml"))
    assert str(caught.value) == CHANGED


def test_what_follows_from_a_change_is_not_said() -> None:
    """The next layer's in_features was inferred, and is written in the run's config."""
    started(stop=(2, 2))
    with pytest.raises(ConfigError) as caught:
        resumption.load(Path("r"), ["model.0.out_features=13"], Path("c.yaml"))
    assert [item.path for item in caught.value.diagnostics] == [("model", 0, "out_features"), ()]


def test_no_run() -> None:
    with pytest.raises(ConfigError) as caught:
        resumption.load(Path("none"))
    assert str(caught.value) == "error: none is not the directory of a run: it has no config.yaml"


def test_an_earlier_run_of_this_name_is_left_alone() -> None:
    started()
    with pytest.raises(ConfigError, match="exists already"):
        list(train(load("c.yaml"), Path("r")))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("name", ["AdamW", "LBFGS", "SGD"])
def test_the_command_stopped_by_a_signal(command: Command, name: str, number: int) -> None:
    chosen = [f"optimizer={OPTIMIZERS[name]}", "loop.epochs=60"]
    process = command.start("train", "c.yaml", *chosen, "--run-dir", "r")
    assert process.stderr is not None
    for _ in range(4):
        process.stderr.readline()
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == 128 + number, "slower than it was stopped; give it more epochs"
    done = len(lines("r"))
    assert 3 <= done < 60
    result = command("train", "--resume", "r")
    assert result.rc == 0, result.stderr
    assert f"going on after epoch {done} of 60" in result.stderr
    assert command("train", "c.yaml", *chosen, "-q", "--run-dir", "straight").rc == 0
    same("straight", "r")


def test_the_command_killed_at_random_moments(command: Command) -> None:
    """kill -9, wherever it is: within a step, a checkpoint, a line, before the first checkpoint."""
    moments, chosen = random.Random(0), ["loop.epochs=300", "loop.checkpoint_every=1"]  # noqa: S311 - no secret
    assert command("train", "c.yaml", *chosen, "-q", "--run-dir", "straight").rc == 0
    arguments: list[str] = ["c.yaml", *chosen, "--run-dir", "r"]
    kills = 0
    for _ in range(6):
        process = command.start("train", *arguments)
        assert process.stderr is not None
        process.stderr.readline()  # it has begun
        time.sleep(moments.uniform(0, 0.4))
        process.kill()
        process.communicate(timeout=60)
        kills += process.returncode == -signal.SIGKILL
        arguments = ["--resume", "r"]
    assert kills >= 3, "it was faster than the kills; give it more epochs"
    result = command("train", "--resume", "r")
    assert result.rc == 0, result.stderr
    same("straight", "r")


def test_the_command_line(command: Command) -> None:
    first, again, grown, busy, both, none, other, missing = command.each(
        "train c.yaml loop.epochs=1 -q --json --run-dir r",
        "train --resume r --json",
        "train --resume r loop.epochs=2 -q",
        "train --resume r seed=4",
        "train --resume r --run-dir q",
        "train",
        "train --resume r c.yaml loop.epochs=2",
        "train --resume none",
    )
    assert (first.rc, again.rc, grown.rc) == (0, 0, 0)
    assert again.stdout == first.stdout
    assert again.stderr == (
        "this run is done, after epoch 1, and was left as it is; loop.epochs=N makes it longer\n"
    )
    assert "best epoch 2 of 2" in grown.stdout
    assert (busy.rc, both.rc, none.rc, missing.rc) == (2, 2, 2, 2)
    assert busy.stderr.startswith("<command line>:1:6: error: seed: 3 in r/config.yaml, 4 here\n")
    assert "--resume goes on in the run's own directory; leave --run-dir out" in both.stderr
    assert "Missing argument 'CONFIG': the YAML file to train; or go on with a run: --resume RUN" in none.stderr
    assert (other.rc, other.stdout) == (0, grown.stdout)
    assert missing.stderr == "error: none is not the directory of a run: it has no config.yaml\n"
