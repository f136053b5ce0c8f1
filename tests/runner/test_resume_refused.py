"""What a run does not go on from: damaged files, another config, other data, a directory in use."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from declnet.errors import BusyError, CheckpointError, ConfigError, DataError, MachineError
from declnet.runner import checkpoint, resumption
from declnet.runner.directory import RunDirectory
from declnet.runner.experiment import load
from declnet.runner.files import holder, lock
from declnet.runner.train import train
from runner.runs import TEXT, contents, continued, started, summary

pytestmark = pytest.mark.usefixtures("resumable")


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
    "a line lacks figures": (
        lambda _: Path("r/metrics.jsonl").write_text('{"epoch": 1}\n{"epoch": 2}\n', encoding="utf-8"),
        "r/metrics.jsonl: damaged: expected a line for each of the 2 epochs that the checkpoint has done; put the "
        "file back as the run wrote it",
    ),
    "a line is no JSON": (
        lambda _: Path("r/metrics.jsonl").write_text('{"epoch": 1}\n{"epoch": NaN}\n', encoding="utf-8"),
        "r/metrics.jsonl: damaged: expected a line for each of the 2 epochs that the checkpoint has done; put the "
        "file back as the run wrote it",
    ),
}


@pytest.mark.parametrize("name", ["metrics.jsonl", "checkpoints/last.npz"])
def test_a_pipe_in_the_place_of_a_file(name: str) -> None:
    """Reading it would wait for whoever writes to it."""
    started(stop=(3, 2))
    Path("r", name).unlink()
    os.mkfifo(Path("r", name))
    with pytest.raises(CheckpointError, match="not a file"):
        continued()


@pytest.mark.parametrize("text", ["[" * 100_000, "1" * 10_000, "nan", "{", '{"epoch": 1}'])
def test_metrics_that_are_none(text: str) -> None:
    started(stop=(3, 2))
    Path("r/metrics.jsonl").write_text(f"{text}\n" * 2, encoding="utf-8")
    with pytest.raises(
        CheckpointError, match=r"r/metrics.jsonl: damaged: expected a line for each of the 2 epochs"
    ):
        continued()


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


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "1" * 10_000])
def test_a_summary_that_is_none(text: str) -> None:
    started()
    Path("r/summary.json").write_text(text, encoding="utf-8")
    with pytest.raises(CheckpointError) as caught:
        continued()
    assert str(caught.value) == "error: r/summary.json: damaged; remove it, and it is made again"


def test_a_run_in_use() -> None:
    started(stop=(2, 2))
    with RunDirectory.open(Path("r")), pytest.raises(BusyError) as caught:
        continued()
    assert str(caught.value) == (
        f"error: the run directory r is in use by process {os.getpid()}; wait until that has ended, or train in "
        "another directory"
    )
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


def test_a_holder_that_the_system_does_not_name(monkeypatch: pytest.MonkeyPatch) -> None:
    started(stop=(2, 2))
    monkeypatch.setattr("declnet.runner.files.LOCKS", Path("no-such-file"))
    with RunDirectory.open(Path("r")), pytest.raises(BusyError, match="in use by another process; wait"):
        continued()


def test_a_run_in_use_is_not_taken_for_one_that_is_there() -> None:
    """Whoever starts one too late is told who has it, not that the directory is not empty."""
    started(stop=(2, 2))
    with RunDirectory.open(Path("r")), pytest.raises(BusyError, match=f"in use by process {os.getpid()};"):
        started(to="r")


def test_the_holder_of_a_folder() -> None:
    Path("a").mkdir()
    Path("b").mkdir()
    held = lock(Path("a"))
    assert held is not None
    assert (holder(Path("a")), holder(Path("b")), holder(Path("gone"))) == (os.getpid(), None, None)
    os.close(held)
    assert holder(Path("a")) is None


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
