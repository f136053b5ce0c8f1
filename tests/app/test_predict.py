"""`declnet evaluate` and `declnet predict`: whole screens, exit codes, pipes, and files that stay whole."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import declnet

if TYPE_CHECKING:
    from conftest import Command, Result

CONFIG = """\
name: kinds
data: {source: {type: CSV, path: t.csv}, inputs: [a, b], targets: {kind: {columns: c, dtype: int64}}}
model: [{type: Linear, out_features: 4}, Tanh, {type: Linear, out_features: 2, name: score}]
loss: CrossEntropyLoss
optimizer: {type: Adam, lr: 0.05}
loop: {epochs: 3, batch_size: 8, metrics: [accuracy]}
"""


DAMAGED = "damaged/checkpoints/best.npz"


@pytest.fixture(scope="module")
def command(command_in: Callable[[Path], Command], tmp_path_factory: pytest.TempPathFactory) -> Command:
    """A folder with a run in it, made once for all tests here."""
    command = command_in(tmp_path_factory.mktemp("predict"))
    rows = "".join(f"{i},{2 * i},{i % 2}\n" for i in range(20))
    (command.cwd / "t.csv").write_text(f"a,b,c\n{rows}", encoding="utf-8")
    (command.cwd / "new.csv").write_text("note,b,a\nfirst,1,0.5\n,-1,2\n", encoding="utf-8")
    (command.cwd / "c.yaml").write_text(CONFIG, encoding="utf-8")
    result = command("train", "c.yaml", "-q")
    assert (result.rc, result.stderr) == (0, "")
    shutil.copytree(command.cwd / "runs/kinds-1", command.cwd / "damaged")
    best = command.cwd / "damaged/checkpoints/best.npz"
    best.write_bytes(best.read_bytes()[:200])
    return command


def shell(command: Command, line: str) -> Result:
    return command.run(
        ["bash", "-c", f"set -o pipefail; {line.replace('declnet', f'{sys.executable} -m declnet')}"]
    )


def test_evaluate(command: Command) -> None:
    summary = json.loads((command.cwd / "runs/kinds-1/summary.json").read_text(encoding="utf-8"))
    test, epoch = summary["test"], summary["best_epoch"]
    shown, plain, other = command.each(
        "evaluate runs/kinds-1",
        "evaluate runs/kinds-1 --json --split val --checkpoint last",
        "evaluate runs/kinds-1 --data t.csv loop.metrics=[]",
    )
    assert (shown.rc, shown.stderr) == (0, "")
    assert shown.stdout == (
        f"runs/kinds-1: best checkpoint, epoch {epoch}\n"
        f"      rows    loss  accuracy\n"
        f"test     2  {test['loss']:.4f}  {test['accuracy']:>8.4f}\n"
    )
    lines = (command.cwd / "runs/kinds-1/metrics.jsonl").read_text(encoding="utf-8").splitlines()
    last = json.loads(lines[-1])
    assert (plain.rc, plain.stderr) == (0, "")
    assert json.loads(plain.stdout) == {
        "run_dir": "runs/kinds-1",
        "checkpoint": "last",
        "epoch": 3,
        "data": None,
        "split": "val",
        "rows": 2,
        "figures": {"loss": last["val_loss"], "accuracy": last["val_accuracy"]},
    }
    loss = declnet.load(command.cwd / "runs/kinds-1").evaluate(split="all")["loss"]
    assert (other.rc, other.stderr) == (0, "")
    assert other.stdout == (
        f"runs/kinds-1: best checkpoint, epoch {epoch}\n       rows    loss\nt.csv    20  {loss:.4f}\n"
    )


def test_a_matrix(command: Command) -> None:
    settings = "loop.metrics=[confusion_matrix,accuracy]"
    shown, plain = command.each(
        f"evaluate runs/kinds-1 --split all {settings}", f"evaluate runs/kinds-1 --split all --json {settings}"
    )
    figures = json.loads(plain.stdout)["figures"]
    assert [*figures] == ["loss", "confusion_matrix", "accuracy"]
    (a, b), (c, d) = figures["confusion_matrix"]
    assert (a + b, c + d, (a + d) / 20) == (10, 10, figures["accuracy"])
    lines = shown.stdout.splitlines()
    assert lines[1].split() == ["rows", "loss", "accuracy"]
    assert lines[3].startswith("all confusion_matrix: a row for each ")
    assert [line.split() for line in lines[5:]] == [["0", str(a), str(b)], ["1", str(c), str(d)]]


def test_figures_that_are_not_finite(command: Command) -> None:
    (command.cwd / "far.csv").write_text("a,b,c\n3e38,0,0\n-3e38,0,1\n", encoding="utf-8")
    settings = "loss=MSELoss data.targets=[c] loop.metrics=[] 'model=[{type: Linear, out_features: 1}]'"
    _, shown, plain = command.each(
        f"train c.yaml -q --run-dir line {settings}",
        "evaluate line --data far.csv",
        "evaluate line --data far.csv --json",
    )
    epoch = json.loads((command.cwd / "line/summary.json").read_text(encoding="utf-8"))["best_epoch"]
    assert (shown.rc, shown.stderr) == (0, "")
    assert shown.stdout == (
        f"line: best checkpoint, epoch {epoch}\n         rows        loss\nfar.csv     2  not finite\n"
    )
    assert (plain.rc, json.loads(plain.stdout)["figures"]) == (0, {"loss": None})


def test_settings_that_make_another_model(command: Command) -> None:
    result = command.each("evaluate runs/kinds-1 model.0.out_features=5 model.2.in_features=5")[0]
    assert (result.rc, result.stdout) == (6, "")
    assert result.stderr == (
        "error: runs/kinds-1/checkpoints/best.npz: the checkpoint is of another model: its 0.weight is float32 "
        "(4, 2), the model's float32 (5, 2); config.yaml was changed after training, or settings change the model\n"
    )


@pytest.mark.parametrize(
    ("arguments", "rc", "stderr"),
    [
        (
            "evaluate none",
            2,
            "error: none: not a run's directory, which has a config.yaml: `declnet train` writes one\n",
        ),
        ("evaluate runs/kinds-1 --split tset", 2, None),
        (
            "evaluate runs/kinds-1 --data none.csv",
            3,
            "<command line>:1:18: error: data.source.path: none.csv: no such file\n"
            '    data.source.path="none.csv"\n                     ^\n',
        ),
        (
            "evaluate runs/kinds-1 loop.bach_size=2",
            2,
            "<command line>:1:6: error: loop.bach_size: unknown key 'bach_size'; did you mean 'batch_size', which "
            "is there already?\n    loop.bach_size=2\n         ^\n",
        ),
        (
            "evaluate damaged",
            6,
            f"error: {DAMAGED}: not a checkpoint of declnet, or damaged: File is not a zip file\n",
        ),
        (
            "predict damaged --input new.csv --output p.csv",
            6,
            f"error: {DAMAGED}: not a checkpoint of declnet, or damaged: File is not a zip file\n",
        ),
        ("predict runs/kinds-1 --input none.csv --output p.csv", 3, "error: none.csv: no such file\n"),
        (
            "predict runs/kinds-1 --input new.csv --output none/p.csv",
            5,
            "error: cannot write none/p.csv: No such file or directory\n",
        ),
        ("predict runs/kinds-1 --input . --output p.csv", 3, "error: .: is a directory, not a file\n"),
        (
            "predict runs/kinds-1 --input new.csv --output p.txt",
            2,
            "error: p.txt: the ending says no format; end it in .csv, .jsonl, .npz, or give --format\n",
        ),
        ("predict runs/kinds-1 --input new.csv", 2, None),
    ],
)
def test_refusals(command: Command, arguments: str, rc: int, stderr: str | None) -> None:
    before = sorted(path.name for path in command.cwd.iterdir())
    result = command.each(arguments)[0]
    assert (result.rc, result.stdout) == (rc, "")
    assert "Traceback" not in result.stderr
    assert stderr is None or result.stderr == stderr
    assert sorted(path.name for path in command.cwd.iterdir()) == before


def test_a_bad_cell_leaves_the_old_file(command: Command) -> None:
    (command.cwd / "bad.csv").write_text("a,b\n1,2\n1,two\n", encoding="utf-8")
    (command.cwd / "old.csv").write_text("as it was\n", encoding="utf-8")
    result = command.each("predict runs/kinds-1 --input bad.csv --output old.csv")[0]
    assert (result.rc, result.stdout) == (3, "")
    assert (
        result.stderr == "bad.csv:3:3: error: column 'b': 'two' is not a number"
        "; the transforms Category, OneHot and ClassLabels take texts\n    1,two\n      ^\n"
    )
    assert (command.cwd / "old.csv").read_text(encoding="utf-8") == "as it was\n"
    assert not list(command.cwd.glob("*.tmp"))


def test_predict(command: Command) -> None:
    """Each form to a file, and the same bytes through a pipe."""
    forms = ("csv", "jsonl", "npz")
    done = command.each(*(f"predict runs/kinds-1 --input new.csv --output p.{form}" for form in forms))
    for form, result in zip(forms, done, strict=True):
        assert (result.rc, result.stderr) == (0, "")
        assert result.stdout == f"2 rows predicted, written to p.{form}\n"
    run = declnet.load(command.cwd / "runs/kinds-1")
    scores = run.predict(np.array([[0.5, 1], [2, -1]]))
    assert isinstance(scores, np.ndarray)
    kinds = scores.argmax(axis=1)
    header, *rows = (command.cwd / "p.csv").read_text(encoding="utf-8").splitlines()
    assert header == "prediction,score_0,score_1"
    assert rows == [f"{kind},{a!s},{b!s}" for kind, (a, b) in zip(kinds, scores, strict=True)]
    lines = [json.loads(line) for line in (command.cwd / "p.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [list(line) for line in lines] == [["prediction", "score"]] * 2
    assert np.array_equal(np.array([line["score"] for line in lines], np.float32), scores)
    with np.load(command.cwd / "p.npz", allow_pickle=False) as file:
        assert file.files == ["prediction", "score"]
        assert np.array_equal(file["score"], scores)
    for form in ("csv", "jsonl"):
        piped = shell(command, f"cat new.csv | declnet predict runs/kinds-1 --input - --output - --format {form}")
        assert (piped.rc, piped.stderr) == (0, "")
        assert piped.stdout == (command.cwd / f"p.{form}").read_text(encoding="utf-8")
    piped = shell(command, "declnet predict runs/kinds-1 --input new.csv --output - --format npz > q.npz")
    assert (piped.rc, piped.stderr) == (0, "")
    with np.load(command.cwd / "q.npz", allow_pickle=False) as file:
        assert np.array_equal(file["score"], scores)


def test_probabilities(command: Command) -> None:
    result = command("predict", "runs/kinds-1", "--input", "new.csv", "--output", "-", "--probabilities")
    assert (result.rc, result.stderr) == (0, "")
    header, *rows = result.stdout.splitlines()
    assert header == "prediction,probability_0,probability_1"
    found = np.array([row.split(",") for row in rows], float)
    assert np.array_equal(found[:, 0], found[:, 1:].argmax(axis=1))
    np.testing.assert_allclose(found[:, 1:].sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("line", "rc", "stderr"),
    [
        ("declnet predict runs/kinds-1 --input long.csv --output - | head -1 > /dev/null", 5, ""),
        (
            "declnet predict runs/kinds-1 --input long.csv --output - > /dev/full",
            5,
            "error: cannot write to stdout: No space left on device\n",
        ),
        (
            "declnet predict runs/kinds-1 --input - --output p.csv <&-",
            5,
            "error: cannot read stdin: it is closed\n",
        ),
        (
            "echo a,b,c | declnet predict runs/kinds-1 --input - --output -",
            3,
            "<stdin>:1:1: error: there are no rows below the header\n",
        ),
        (
            "printf 'a,b\\n1,\\377\\n' | declnet predict runs/kinds-1 --input - --output - > /dev/null",
            3,
            "<stdin>:2:3: error: byte 0xFF is not UTF-8; save the file as UTF-8\n    1,\ufffd\n      ^\n",
        ),
    ],
)
def test_pipes(command: Command, line: str, rc: int, stderr: str) -> None:
    rows = "".join(f"{i},{i}\n" for i in range(60_000))
    (command.cwd / "long.csv").write_text(f"a,b\n{rows}", encoding="utf-8")
    result = shell(command, line)
    assert (result.rc, result.stderr) == (rc, stderr)
