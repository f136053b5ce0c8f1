"""Cross-validation: each row tested once, folds that are runs, going on to the same bits, and what is told."""

from __future__ import annotations

import errno
import json
import os
import signal
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import declnet
from conftest import Command
from declnet.core.spec import Array
from declnet.errors import (
    BusyError,
    CheckpointError,
    ConfigError,
    DataError,
    Interrupted,
    MachineError,
    NonFiniteError,
)
from declnet.runner import resumption
from declnet.runner.directory import RunDirectory
from declnet.runner.evaluate import evaluate
from declnet.runner.events import Event, Finished, FoldEnded, Started, Stepped
from declnet.runner.experiment import load
from declnet.runner.past import read
from declnet.runner.train import resume, train
from declnet.runner.trained import Trained
from runner.runs import contents, same
from runner.splits import ROWS, prepare, rows_of, table

FOLDS = 4
SETTINGS = (f"loop.folds={FOLDS}", "data.split={method: stratified, val: 0.2}")


@pytest.fixture
def columns(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Array]:
    monkeypatch.setattr("declnet.runner.training.REPORT_EVERY", -1)
    return prepare()


def trained(*overrides: str, to: str = "r") -> dict[str, Any]:
    """Train all folds; the summary."""
    *_, last = train(load("c.yaml", (*SETTINGS, *overrides)), Path(to))
    assert isinstance(last, Finished)
    assert json.loads(Path(to, "summary.json").read_text("utf-8")) == last.summary
    return last.summary


def continued(*overrides: str, to: str = "r") -> list[Event]:
    return list(resume(resumption.load(Path(to), overrides), Path(to)))


Stop = tuple[int, int, int]
"""A fold, an epoch, and a step of it."""


def stopped(events: Iterator[Event], stop: Stop) -> str:
    """Send SIGINT in the step before; what is said."""
    fold, epoch, step = stop
    now = None

    def watch() -> None:
        nonlocal now
        for event in events:
            if isinstance(event, Started):
                now = event.fold
            if isinstance(event, Stepped) and (now, event.epoch, event.step) == ((fold, FOLDS), epoch, step - 1):
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted) as caught:
        watch()
    assert caught.value.exit_code == 130
    return str(caught.value)


@pytest.mark.parametrize("method", ["random", "stratified", "grouped", "ordered"])
@pytest.mark.parametrize("val", [0, 0.25])
def test_each_row_is_tested_once_and_trained_on_otherwise(
    columns: dict[str, Array], method: str, val: float
) -> None:
    column = ", column: who" if method == "grouped" else ""
    split = f"data.split={{method: {method}, val: {val}{column}}}"
    folds = [rows_of(split, f"loop={{folds: {FOLDS}, fold: {number}}}") for number in range(1, FOLDS + 1)]
    assert np.array_equal(np.sort(np.concatenate([fold["test"] for fold in folds])), np.arange(ROWS))
    for fold in folds:
        assert list(fold) == (["train", "val", "test"] if val else ["train", "test"])
        assert np.array_equal(np.sort(np.concatenate([*fold.values()])), np.arange(ROWS))
        if val:
            assert abs(len(fold["val"]) - val * (ROWS - len(fold["test"]))) <= (4 if method == "grouped" else 1)
        if method == "stratified":
            for label in range(3):
                count = (columns["kind"] == label).sum()
                assert abs((columns["kind"][fold["test"]] == label).sum() - count / FOLDS) < 1
        if method == "grouped":
            groups = [set(columns["who"][rows].tolist()) for rows in fold.values()]
            assert sum(map(len, groups)) == len(set().union(*groups))
        if method == "ordered":
            assert (np.diff(fold["test"]) == 1).all()
            assert all((np.diff(rows) > 0).all() for rows in fold.values())
            assert not val or fold["train"].max() < fold["val"].max()
    assert max(len(fold["test"]) for fold in folds) - min(len(fold["test"]) for fold in folds) <= (
        3 if method == "grouped" else 1
    )


def test_a_fold_is_a_run_like_any_other(columns: dict[str, Array]) -> None:
    """It is the very run that its own config gives."""
    summary = trained()
    for number in range(1, FOLDS + 1):
        path = Path("r", f"fold-{number}")
        assert sorted(entry.name for entry in path.iterdir()) == [
            *("checkpoints", "config.yaml", "metrics.jsonl", "summary.json")
        ]
        list(train(load("c.yaml", (*SETTINGS, f"loop.fold={number}")), Path(f"alone/fold-{number}")))
        same(str(path), f"alone/fold-{number}")
        found = evaluate(Trained(path))
        assert found.figures == summary["folds"][number - 1]["test"]
        assert found.rows == summary["folds"][number - 1]["rows"]["test"]
    assert sorted(entry.name for entry in Path("r").iterdir()) == [
        "config.yaml",
        *(f"fold-{number}" for number in range(1, FOLDS + 1)),
        "summary.json",
    ]


def test_all_begin_with_the_same_first_values(columns: dict[str, Array]) -> None:
    trained("optimizer.lr=0", "loop.epochs=1")
    first, *others = (declnet.load(f"r/fold-{number}").parameters for number in range(1, FOLDS + 1))
    assert all(np.array_equal(other[name], first[name]) for other in others for name in first)


def test_the_summary(columns: dict[str, Array]) -> None:
    summary = trained("loop.metrics=[accuracy, confusion_matrix]")
    folds = summary["folds"]
    for part in ("val", "test"):
        assert list(summary["mean"][part]) == list(summary["std"][part]) == ["loss", "accuracy"]
        for name in ("loss", "accuracy"):
            values = [fold[part][name] for fold in folds]
            assert summary["mean"][part][name] == pytest.approx(sum(values) / FOLDS, rel=1e-12)
            assert summary["std"][part][name] == pytest.approx(statistics.stdev(values), rel=1e-12)
    sizes = [fold["rows"]["test"] for fold in folds]
    assert sum(sizes) == ROWS
    pooled = summary["pooled"]["test"]
    for name in ("loss", "accuracy"):
        mean = sum(fold["test"][name] * size for fold, size in zip(folds, sizes, strict=True)) / ROWS
        assert pooled[name] == pytest.approx(mean, rel=1e-12)
    matrices = np.array([fold["test"]["confusion_matrix"] for fold in folds])
    assert pooled["confusion_matrix"] == matrices.sum(0).tolist()
    assert np.sum(pooled["confusion_matrix"]) == ROWS


STOPS: list[Stop] = [(1, 1, 2), (3, 2, 3), (FOLDS, 3, 4)]


@pytest.mark.parametrize("stop", STOPS)
def test_going_on_to_the_same_bits(columns: dict[str, Array], stop: Stop) -> None:
    straight = trained("loop.class_weights=balanced", to="straight")
    experiment = load("c.yaml", (*SETTINGS, "loop.class_weights=balanced"))
    said = stopped(train(experiment, Path("r")), stop)
    assert said.startswith(
        f"error: fold {stop[0]} of {FOLDS}: stopped by a signal at epoch {stop[1]}, step {stop[2]};"
    )
    assert said.endswith("to go on: --resume r")
    assert not Path("r", "summary.json").exists()
    assert read(Path("r")).folds == (stop[0] - 1, FOLDS)
    assert read(Path("r")).state == "stopped"
    before = {name: files for name, files in contents("r").items() if f"fold-{stop[0]}/" not in name}
    events = continued()
    ended = [event for event in events if isinstance(event, FoldEnded)]
    assert [event.before for event in ended] == [number < stop[0] for number in range(1, FOLDS + 1)]
    for number in range(1, FOLDS + 1):
        same(f"straight/fold-{number}", f"r/fold-{number}")
    done = {name: files for name, files in contents("r").items() if name in before and name != "r/config.yaml"}
    assert done == {name: files for name, files in before.items() if name != "r/config.yaml"}
    found = json.loads(Path("r", "summary.json").read_text("utf-8"))
    for key in ("mean", "std", "pooled", "parameters"):
        assert found[key] == straight[key]
    assert Path("straight/config.yaml").read_bytes() == Path("r/config.yaml").read_bytes()


def test_stopped_again_and_again(columns: dict[str, Array]) -> None:
    trained(to="straight")
    stopped(train(load("c.yaml", SETTINGS), Path("r")), (1, 2, 2))
    for stop in [(1, 3, 2), (2, 1, 3), (4, 3, 2)]:
        stopped(resume(resumption.load(Path("r")), Path("r")), stop)
    continued()
    for number in range(1, FOLDS + 1):
        same(f"straight/fold-{number}", f"r/fold-{number}")


def test_a_signal_while_a_fold_is_evaluated_ends_it_before_the_next(columns: dict[str, Array]) -> None:
    trained(to="straight")
    events = train(load("c.yaml", SETTINGS), Path("r"))

    def watch() -> None:
        for event in events:
            if isinstance(event, FoldEnded) and event.fold == 2:
                os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(
        Interrupted, match=f"stopped by a signal after fold 2 of {FOLDS}; to go on: --resume r"
    ) as caught:
        watch()
    assert caught.value.exit_code == 143
    continued()
    same("straight/fold-3", "r/fold-3")


def test_all_done_is_left_as_it_is(columns: dict[str, Array]) -> None:
    summary = trained()
    before = contents("r")
    assert continued() == [Finished(summary, before=True)]
    assert contents("r") == before


def test_more_epochs_for_all_folds(columns: dict[str, Array]) -> None:
    trained("loop.epochs=5", to="straight")
    trained()
    continued("loop.epochs=5")
    for number in range(1, FOLDS + 1):
        same(f"straight/fold-{number}", f"r/fold-{number}")


def test_killed_before_a_fold_wrote_anything(columns: dict[str, Array]) -> None:
    trained(to="straight")
    stopped(train(load("c.yaml", SETTINGS), Path("r")), (1, 2, 2))
    RunDirectory.create("net", Path("r/fold-2")).__exit__()
    continued()
    same("straight/fold-2", "r/fold-2")


def test_refused_with_other_rows_even_where_folds_are_done(columns: dict[str, Array]) -> None:
    stopped(train(load("c.yaml", SETTINGS), Path("r")), (3, 1, 2))
    table("t.csv", seed=9)
    with pytest.raises(DataError, match="the rows are not those that this run began with"):
        continued()


def test_the_summary_of_a_fold_that_is_damaged_is_made_again_once_it_is_removed(columns: dict[str, Array]) -> None:
    trained(to="straight")
    stopped(train(load("c.yaml", SETTINGS), Path("r")), (3, 1, 2))
    Path("r/fold-2/summary.json").write_text("{}", "utf-8")
    with pytest.raises(CheckpointError, match=r"r/fold-2/summary.json: damaged"):
        continued()
    Path("r/fold-2/summary.json").unlink()
    continued()
    same("straight/fold-2", "r/fold-2")


def test_refused_with_another_config(columns: dict[str, Array]) -> None:
    stopped(train(load("c.yaml", SETTINGS), Path("r")), (2, 1, 2))
    with pytest.raises(ConfigError, match=r"loop.folds: 4 in r/config.yaml, 3 here"):
        continued("loop.folds=3")


def test_in_use(columns: dict[str, Array]) -> None:
    stopped(train(load("c.yaml", SETTINGS), Path("r")), (2, 1, 2))
    for path in ("r", "r/fold-2"):
        with RunDirectory.open(Path(path), checkpoints=False), pytest.raises(BusyError, match=path):
            continued()


def test_what_a_later_fold_would_refuse_leaves_nothing_behind(columns: dict[str, Array]) -> None:
    """The only row of class 2 is in some fold, whose training rows lack it."""
    lines = [f"{i},{i},{i % 2},0" for i in range(40)]
    Path("t.csv").write_text("\n".join(["a,b,kind,who", *lines, "1,1,2,0"]) + "\n", "utf-8")
    with pytest.raises(DataError, match=r"balanced: class 2 is missing.* in the training rows"):
        trained("loop.class_weights=balanced", "data.split.val=0")
    assert not Path("r").exists()


def test_diverged_in_a_fold(columns: dict[str, Array]) -> None:
    with pytest.raises(NonFiniteError, match=f"fold 1 of {FOLDS}: epoch 1, step"):
        trained("optimizer={type: SGD, lr: 1e30}")
    assert read(Path("r")).state == "stopped"


def test_other_validation_rows(columns: dict[str, Array]) -> None:
    table("val.csv", 30, seed=1)
    summary = trained("data.split={val: {type: CSV, path: val.csv}}")
    assert [fold["rows"] for fold in summary["folds"]] == [{"train": 90, "val": 30, "test": 30}] * FOLDS


def test_one_run_is_wanted(columns: dict[str, Array]) -> None:
    trained()
    names = "r/fold-1, r/fold-2, r/fold-3 or r/fold-4"
    with pytest.raises(
        ConfigError, match=f"r: a cross-validation, each fold of which is a run of its own: .*{names}"
    ):
        Trained(Path("r"))


def test_weights_are_those_of_one_fold(columns: dict[str, Array]) -> None:
    trained()
    with pytest.raises(
        CheckpointError, match=r"init\.from: r: a cross-validation; name one of its folds, r.fold-1,"
    ):
        load("c.yaml", ("init={from: r}",))
    assert load("c.yaml", ("init={from: r/fold-2}",)).config.init is not None


def test_from_python(columns: dict[str, Array]) -> None:
    events: list[declnet.Event] = []
    found = declnet.train("c.yaml", *SETTINGS, run_dir="r", on_event=events.append)
    assert isinstance(found, declnet.CrossValidation)
    assert sum(isinstance(event, declnet.FoldEnded) for event in events) == FOLDS
    again = declnet.load("r")
    assert isinstance(again, declnet.CrossValidation)
    assert found.path == again.path == Path("r")
    assert found.summary == again.summary == json.loads(Path("r", "summary.json").read_text("utf-8"))
    assert repr(found) == "<declnet.CrossValidation 'r', 4 folds>"
    config = found.config["loop"]
    assert isinstance(config, dict)
    assert (config["folds"], config["fold"]) == (FOLDS, None)
    assert [fold.path for fold in found.folds] == [Path(f"r/fold-{number}") for number in range(1, FOLDS + 1)]
    assert found.folds[1].evaluate() == found.folds[1].summary["test"]  # type: ignore[index] # it has one
    assert np.shape(found.folds[2].predict(np.zeros((5, 2)))) == (5, 3)
    refusing: list[Callable[[], object]] = [
        lambda: found.predict(np.zeros((5, 2))),
        found.evaluate,
        lambda: found.parameters,
    ]
    for refused in refusing:
        with pytest.raises(ConfigError, match="each fold of which is a run of its own"):
            refused()


def test_the_commands(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(command.cwd)
    prepare()
    chosen = " ".join(f"'{setting}'" for setting in SETTINGS)
    shown, evaluated, refused, listed, listing, other, compared, going = command.each(
        f"train c.yaml {chosen}",
        "evaluate runs/net-1/fold-3",
        "predict runs/net-1 --input t.csv --output -",
        "runs",
        "runs --json",
        "train c.yaml -q",
        "compare net-1 net-2",
        "train --resume runs/net-1 -q --json",
    )
    summary = json.loads(Path("runs/net-1/summary.json").read_text("utf-8"))
    assert shown.rc == 0
    table = {line.partition("  ")[0]: line.split()[-2:] for line in shown.stdout.splitlines()[2:-1]}
    assert list(table) == [*(f"fold {i}" for i in range(1, 5)), "mean", "std", "all rows", "val mean", "val std"]
    for name, found in (("mean", summary["mean"]["test"]), ("all rows", summary["pooled"]["test"])):
        assert table[name] == [f"{found['loss']:.4f}", f"{found['accuracy']:.4f}"]
    lines = shown.stderr.splitlines()
    assert lines[0].startswith("fold 1 of 4: net: ")
    assert sum(line.startswith("fold 3/4  epoch ") for line in lines) == 3
    assert lines[-1].startswith("fold 4/4  best epoch ")
    assert evaluated.rc == 0
    assert f"{summary['folds'][2]['test']['loss']:.4f}" in evaluated.stdout
    assert (refused.rc, refused.stdout) == (2, "")
    assert "runs/net-1/fold-1, runs/net-1/fold-2" in refused.stderr
    assert listed.stdout.splitlines()[2].split()[:1] == ["net-1"]
    assert "4 folds" in listed.stdout
    assert f"{summary['mean']['test']['accuracy']:.4f}" in listed.stdout
    (told,) = json.loads(listing.stdout)
    assert told["folds"] == {"done": 4, "planned": 4}
    assert told["figures"] == {
        f"{part}_{name}": value for part in ("val", "test") for name, value in summary["mean"][part].items()
    }
    assert other.rc == 0
    assert compared.rc == 0
    assert "loop.folds" in compared.stdout
    assert json.loads(going.stdout) == summary


def test_interrupted_from_a_terminal(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(command.cwd)
    prepare()
    process = command.start("train", "c.yaml", *SETTINGS, "loop.epochs=3000")
    assert process.stderr is not None
    while not process.stderr.readline().startswith("fold 1/4  epoch"):
        pass
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.splitlines()[-1].endswith("to go on: --resume runs/net-1")
    (told,) = json.loads(command("runs", "--json").stdout)
    assert (told["state"], told["folds"]) == ("stopped", {"done": 0, "planned": 4})


def test_a_fold_s_directory_that_cannot_be_read(columns: dict[str, Array], monkeypatch: pytest.MonkeyPatch) -> None:
    trained("loop.epochs=1")
    is_dir = Path.is_dir

    def refused(path: Path) -> bool:
        if path.name == "fold-2":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return is_dir(path)

    monkeypatch.setattr(Path, "is_dir", refused)
    with pytest.raises(MachineError) as caught:
        continued()
    assert str(caught.value) == "error: cannot read r/fold-2: Input/output error"
