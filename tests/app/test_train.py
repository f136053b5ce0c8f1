"""`declnet train`: what it prints, what it writes, and that the same seed gives the same bits."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from declnet.config.yaml import loads
from declnet.runner.experiment import load

if TYPE_CHECKING:
    from conftest import Command, Result

CONFIG = Path(__file__).parents[2] / "configs" / "digits_mlp.yaml"
EPOCHS = "loop.epochs=3"
WEIGHTS = {"0.weight": (256, 64), "0.bias": (256,), "3.weight": (10, 256), "3.bias": (10,)}


class Runs:
    """Runs of one config in one folder, made once for all tests here."""

    def __init__(self, command: Command) -> None:
        self.folder = command.cwd
        shutil.copy(CONFIG, self.folder / "c.yaml")
        self.lines = command("train", "c.yaml", EPOCHS)  # runs/digits-mlp-1
        self.json = command("train", "c.yaml", EPOCHS, "--json", "--quiet")  # runs/digits-mlp-2
        self.other = command("train", "c.yaml", EPOCHS, "seed=1", "-q", "--run-dir", "new/a/b")
        (self.folder / "empty").mkdir()
        self.again = command("train", "new/a/b/config.yaml", "--run-dir", "empty")

    def __getitem__(self, name: str) -> Path:
        return self.folder / {"first": "runs/digits-mlp-1", "second": "runs/digits-mlp-2"}.get(name, name)

    def records(self, name: str) -> list[dict[str, Any]]:
        lines = (self[name] / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        return [strict(line) for line in lines]

    def summary(self, name: str) -> dict[str, Any]:
        return strict((self[name] / "summary.json").read_text(encoding="utf-8"))


def strict(text: str) -> dict[str, Any]:
    """JSON without NaN and Infinity."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    value = json.loads(text, parse_constant=refuse)
    assert isinstance(value, dict)
    return value


def members(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


@pytest.fixture(scope="module")
def runs(command_in: Callable[[Path], Command], tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(command_in(tmp_path_factory.mktemp("train")))


def test_all_ended_well(runs: Runs) -> None:
    results: list[Result] = [runs.lines, runs.json, runs.other, runs.again]
    assert [(result.rc, "Traceback" in result.stderr) for result in results] == [(0, False)] * 4
    assert [runs.json.stderr, runs.other.stderr] == ["", ""]


def test_lines_an_epoch(runs: Runs) -> None:
    opening, *epochs = runs.lines.stderr.splitlines()
    assert opening == "digits-mlp: 19,210 parameters; rows: 1,438 train, 179 val, 180 test; runs/digits-mlp-1"
    best = float("inf")
    for line, record in zip(epochs, runs.records("first"), strict=True):
        names = ("train_loss", "val_loss", "val_accuracy")
        figures = "  ".join(f"{name} {record[name]:.4f}" for name in names)
        mark = "  best" if record["val_loss"] < best else ""
        best = min(best, record["val_loss"])
        assert line == f"epoch {record['epoch']}/3  {figures}{mark}"


def test_the_result(runs: Runs) -> None:
    found = runs.summary("first")
    rows = "".join(
        f"{name:4}  {found[name]['loss']:.4f}  {found[name]['accuracy']:>8.4f}\n" for name in ("val", "test")
    )
    assert runs.lines.stdout == (
        f"digits-mlp: best epoch {found['best_epoch']} of 3\n"
        f"        loss  accuracy\n{rows}"
        f"19,210 parameters, {found['seconds']} s, written to runs/digits-mlp-1\n"
    )


def test_json_is_the_summary(runs: Runs) -> None:
    printed = strict(runs.json.stdout)
    assert printed == runs.summary("second")
    assert list(printed) == [
        *("name", "declnet", "seed", "epochs", "ended_by", "steps", "parameters", "rows", "last", "best_epoch"),
        *("val", "test", "run_dir", "seconds"),
    ]
    assert printed["rows"] == {"train": 1438, "val": 179, "test": 180}
    assert (printed["epochs"], printed["steps"], printed["parameters"]) == (3, 3 * 45, 19210)
    assert (printed["name"], printed["seed"], printed["run_dir"]) == ("digits-mlp", 0, "runs/digits-mlp-2")
    assert printed["last"] == runs.records("second")[-1]
    best = runs.records("second")[printed["best_epoch"] - 1]
    assert printed["val"] == {"loss": best["val_loss"], "accuracy": best["val_accuracy"]}
    assert 0.8 < printed["test"]["accuracy"] <= 1


@pytest.mark.parametrize("name", ["first", "second", "new/a/b", "empty"])
def test_the_run_directory(runs: Runs, name: str) -> None:
    files = sorted(str(path.relative_to(runs[name])) for path in runs[name].rglob("*") if path.is_file())
    assert files == ["checkpoints/best.npz", "checkpoints/last.npz", "config.yaml", "metrics.jsonl", "summary.json"]
    keys = ["epoch", "train_loss", "val_loss", "val_accuracy", "lr", "seconds"]
    assert [list(record) for record in runs.records(name)] == [keys] * 3
    assert [record["epoch"] for record in runs.records(name)] == [1, 2, 3]
    assert {record["lr"] for record in runs.records(name)} == {0.003}


def test_nothing_else_was_written(runs: Runs) -> None:
    assert sorted(path.name for path in runs.folder.iterdir()) == ["c.yaml", "empty", "new", "runs"]
    assert sorted(path.name for path in (runs.folder / "runs").iterdir()) == ["digits-mlp-1", "digits-mlp-2"]


def test_the_config_is_complete(runs: Runs) -> None:
    text = (runs["first"] / "config.yaml").read_text(encoding="utf-8")
    linear = {"type": "Linear", "in_features": 64, "out_features": 256, "bias": True}
    assert loads(text, "f").data == {
        "name": "digits-mlp",
        "seed": 0,
        "dtype": "float32",
        "init": None,
        "data": {
            "source": {"type": "Digits", "flatten": True},
            "inputs": {"x": {"columns": "image", "dtype": None, "transforms": ()}},
            "targets": {"y": {"columns": "label", "dtype": None, "transforms": ()}},
            "split": {"train": 0.8, "val": 0.1, "test": 0.1, "method": "random", "column": None},
        },
        "model": (
            linear,
            {"type": "ReLU"},
            {"type": "Dropout", "p": 0.3},
            linear | {"in_features": 256, "out_features": 10},
        ),
        "loss": {
            "type": "CrossEntropyLoss",
            "weight": None,
            "ignore_index": -100,
            "reduction": "mean",
            "label_smoothing": 0.0,
            "scale": 1.0,
        },
        "optimizer": {
            "type": "AdamW",
            "lr": 0.003,
            "betas": (0.9, 0.999),
            "eps": 1e-08,
            "weight_decay": 0.01,
            "amsgrad": False,
            "maximize": False,
        },
        "scheduler": None,
        "loop": {
            "epochs": 3,
            "max_steps": None,
            "batch_size": 32,
            "accumulate": 1,
            "shuffle": True,
            "drop_last": False,
            **dict.fromkeys(("clip_norm", "clip_value", "ema", "monitor", "early_stopping")),
            **dict.fromkeys(("folds", "fold", "class_weights")),
            "evaluate_every": 1,
            "metrics": ({"type": "accuracy", "ignore_index": -100, "threshold": 0.5, "from_logits": None},),
            "on_nonfinite": "stop",
            "checkpoint_every": None,
        },
    }
    assert load(runs["first"] / "config.yaml").config == load(runs.folder / "c.yaml", [EPOCHS]).config


@pytest.mark.parametrize(("one", "other"), [("first", "second"), ("new/a/b", "empty")])
def test_the_same_seed_gives_the_same_bits(runs: Runs, one: str, other: str) -> None:
    for name in ("last.npz", "best.npz"):
        assert (runs[one] / "checkpoints" / name).read_bytes() == (runs[other] / "checkpoints" / name).read_bytes()

    def numbers(name: str) -> list[dict[str, Any]]:
        return [record | {"seconds": 0} for record in runs.records(name)]

    assert numbers(one) == numbers(other)
    configs = [(runs[name] / "config.yaml").read_text(encoding="utf-8") for name in (one, other)]
    assert configs[0] == configs[1]


def test_another_seed_gives_others(runs: Runs) -> None:
    one, other = (members(runs[name] / "checkpoints/last.npz") for name in ("first", "new/a/b"))
    assert not np.array_equal(one["model/0.weight"], other["model/0.weight"])
    assert runs.records("first")[0]["train_loss"] != runs.records("new/a/b")[0]["train_loss"]


def test_checkpoints(runs: Runs) -> None:
    last, best = (members(runs["first"] / "checkpoints" / name) for name in ("last.npz", "best.npz"))
    assert {name: array.shape for name, array in best.items() if name != "meta"} == {
        f"model/{name}": shape for name, shape in WEIGHTS.items()
    }
    assert sorted(last.keys() - best.keys()) == ["optimizer/0/exp_avg", "optimizer/0/exp_avg_sq"]
    assert {array.dtype for array in best.values() if array.dtype.kind == "f"} == {np.dtype("float32")}
    assert all(np.isfinite(array).all() for array in last.values() if array.dtype.kind == "f")
    assert runs.summary("first")["best_epoch"] == 3  # so both hold the same
    assert all(np.array_equal(last[name], best[name]) for name in best if name != "meta")
    meta = strict(last["meta"].item())
    assert {key: value for key, value in meta.items() if key != "random"} == {
        **{"format": 1, "epoch": 3, "best_epoch": 3, "best": runs.records("first")[-1]["val_loss"], "step": 135},
        "waiting": {"best": None, "evaluations": 0},
        "data": meta["data"],
        "partial": {"step": 0, "loss": 0.0, "rows": 0, "skipped": 0, "seconds": 0.0},
    }
    assert sorted(meta["random"]) == ["noise", "shuffle"]
    assert strict(best["meta"].item()) == {"format": 1, "epoch": 3}


SETTINGS = {
    "optimizer.lr=abc": (14, "optimizer.lr: expected a number, got 'abc'"),
    "optimizer.esp=1": (11, "optimizer.esp: unknown key 'esp'; did you mean 'eps'?"),
    "model.0.out_features=0": (22, "model[0].out_features: must be greater than 0, got 0"),
    "model.9.p=0": (7, "model: there is no item 9; the indices are 0 to 3"),
    "loop.epochs": (1, "'loop.epochs' is no setting; write it as key.path=value"),
    "loop.epohcs=2": (6, "loop.epohcs: unknown key 'epohcs'; did you mean 'epochs', which is there already?"),
}
NOT_EMPTY = (
    "the run directory {0} exists already and is not an empty directory; a run never overwrites anything: "
    "name another with --run-dir, or remove it"
)
DIRECTORIES = {
    "full": (2, NOT_EMPTY.format("full")),
    "file": (2, NOT_EMPTY.format("file")),
    "file/run": (5, "cannot create the run directory file/run: Not a directory"),
    "/proc/run": (5, "cannot create the run directory /proc/run: No such file or directory"),
}


@pytest.fixture(scope="module")
def refusals(
    command_in: Callable[[Path], Command], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Result]]:
    """What `train` says to each of these, in a folder where nothing may change."""
    command = command_in(tmp_path_factory.mktemp("refusals"))
    shutil.copy(CONFIG, command.cwd / "c.yaml")
    (command.cwd / "full").mkdir()
    for name in ("full/notes.txt", "file"):
        (command.cwd / name).write_text("mine", encoding="utf-8")
    arguments = [*SETTINGS, *(f"{EPOCHS} --run-dir {path}" for path in DIRECTORIES)]
    results = command.each(*(f"train c.yaml {text}" for text in arguments))
    return command.cwd, dict(zip([*SETTINGS, *DIRECTORIES], results, strict=True))


@pytest.mark.parametrize(
    "setting",
    [
        *list(SETTINGS)[:-1],
        pytest.param(
            list(SETTINGS)[-1],
        ),
    ],
)
def test_a_wrong_setting_is_shown_on_the_command_line(
    refusals: tuple[Path, dict[str, Result]], setting: str
) -> None:
    column, message = SETTINGS[setting]
    caret = " " * (column - 1) + "^"
    expected = f"<command line>:1:{column}: error: {message}\n    {setting}\n    {caret}\n"
    result = refusals[1][setting]
    assert (result.rc, result.stdout, result.stderr) == (2, "", expected)


@pytest.mark.parametrize("path", DIRECTORIES)
def test_a_run_directory_that_cannot_be(refusals: tuple[Path, dict[str, Result]], path: str) -> None:
    if path.startswith("/proc") and not Path("/proc/self").exists():
        pytest.skip("needs a place where nobody can write, not even root")
    rc, message = DIRECTORIES[path]
    result = refusals[1][path]
    assert (result.rc, result.stdout, result.stderr) == (rc, "", f"error: {message}\n")


def test_a_refusal_leaves_everything_as_it_was(refusals: tuple[Path, dict[str, Result]]) -> None:
    folder = refusals[0]
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) == [
        *("c.yaml", "file", "full", "full/notes.txt")
    ]
    assert [(folder / name).read_text(encoding="utf-8") for name in ("full/notes.txt", "file")] == ["mine"] * 2


def test_runs_are_numbered(command: Command) -> None:
    shutil.copy(CONFIG, command.cwd / "c.yaml")
    for name in ("net-2", "net-10", "net-x", "net-", "other-99", "xnet-99", "net-11x"):
        (command.cwd / "runs" / name).mkdir(parents=True)
    results = command.each(*["train c.yaml loop.epochs=1 name=net -q --json"] * 2)
    assert [json.loads(result.stdout)["run_dir"] for result in results] == ["runs/net-11", "runs/net-12"]


DIVERGING = "train c.yaml loop.checkpoint_every=1 loop.metrics=[] -q --run-dir r"


def test_a_run_that_diverges_at_once(command: Command) -> None:
    shutil.copy(CONFIG, command.cwd / "c.yaml")
    (result,) = command.each(f"{DIVERGING} 'optimizer={{type: SGD, lr: 1e30}}'")
    message = "epoch 1, step 2: the loss is nan; it begins in the output of 3 (Linear); a lower optimizer.lr"
    headline, source, caret = result.stderr.splitlines()
    assert (result.rc, result.stdout) == (4, "")
    assert headline == f"c.yaml:14:5: error: model[3]: {message} usually helps"
    assert source.startswith("      - {type: Linear, out_features: 10}")
    assert caret == "        ^"


def test_a_run_that_diverges_keeps_the_last_good_epoch(command: Command) -> None:
    shutil.copy(CONFIG, command.cwd / "c.yaml")
    optimizer = "{type: SGD, lr: 0.3, momentum: 1.5}"  # grows by half each step
    (result,) = command.each(f"{DIVERGING} 'optimizer={optimizer}' loop.epochs=50 loop.batch_size=400")
    assert (result.rc, result.stdout) == (4, "")
    assert result.stderr.startswith("c.yaml:14:5: error: model[3]: epoch ")
    assert "; a lower optimizer.lr usually helps\n" in result.stderr
    records = (command.cwd / "r/metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert f"; r/checkpoints/last.npz holds epoch {len(records)}; " in result.stderr
    assert [strict(record)["epoch"] for record in records] == list(range(1, len(records) + 1))
    for name in ("last.npz", "best.npz"):
        arrays = members(command.cwd / "r/checkpoints" / name)
        assert all(np.isfinite(array).all() for array in arrays.values() if array.dtype.kind == "f")
    assert not (command.cwd / "r/summary.json").exists()


SKIPPING = """\
data: {source: {type: NPZ, path: data.npz}, inputs: x, targets: y, split: {val: 0, test: 0}}
model: [BatchNorm1d, {type: Linear, out_features: 1}]
loss: MSELoss
optimizer: SGD
loop: {epochs: 2, batch_size: 4, shuffle: false, on_nonfinite: skip}
"""


def test_steps_left_out_are_counted(command: Command) -> None:
    """The second half of the rows is too much in one case, in the other not; then nothing is said."""
    (command.cwd / "c.yaml").write_text(SKIPPING, encoding="utf-8")
    lines = []
    for large in (3e38, 2.0):
        x = np.ones((8, 2), np.float32)
        x[4:] = large
        np.savez(command.cwd / "data.npz", x=x, y=np.ones((8, 1), np.float32))
        result = command("train", "c.yaml")
        assert result.rc == 0, result.stderr
        lines.append(
            [re.sub(r"loss [\d.]+", "loss _", line) for line in result.stderr.splitlines() if "train_loss" in line]
        )
    assert lines == [
        ["epoch 1/2  train_loss _  1 skipped  best", "epoch 2/2  train_loss _  1 skipped  best"],
        ["epoch 1/2  train_loss _  best", "epoch 2/2  train_loss _  best"],
    ]
