"""`declnet runs`: real tiny runs in a table, and directories in which something is wrong."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from app.tiny import DAY, SEEN, best, dated, everything, prepare, records, stop, summary, train
from declnet.errors import CheckpointError
from declnet.metrics.accuracy import Accuracy
from declnet.runner import past
from declnet.runner.history import history
from declnet.runner.past import read

if TYPE_CHECKING:
    from conftest import Command

NAMES = ("val_loss", "val_accuracy", "test_loss", "test_accuracy")
HEADERS = ("run", "started", "state", "epochs", "parameters", "best epoch", *NAMES)


class Runs:
    """Two runs that are finished, a stopped one, and one without validation rows; the first is the newest."""

    def __init__(self, command: Command) -> None:
        self.command = command
        prepare(command.cwd)
        train(command)
        train(command, "optimizer.lr=0.5", "model.0.out_features=5", "loop.epochs=5")
        stop(command)
        train(command, "name=blind", "data.split.train=0.9", "data.split.val=0")
        self.root = command.cwd / "runs"
        hours = {"tiny-1": 9, "tiny-2": 7, "tiny-3": 8, "blind-1": 1}
        self.dates = {name: dated(self.root / name, hour) for name, hour in hours.items()}

    def row(self, name: str) -> tuple[str, ...]:
        """What the table has to say of a run, from its files."""
        path = self.root / name
        if name == "tiny-3":
            done, top = len(records(path)), best(path)
            middle = ("stopped", f"{done}/1000000", "", f"{top['epoch']:,}")
            return (name, self.dates[name], *middle, f"{top['val_loss']:.4f}", f"{top['val_accuracy']:.4f}", "", "")
        found = summary(path)
        figures = [
            f"{found[split][key]:.4f}" if split in found else ""
            for split in ("val", "test")
            for key in ("loss", "accuracy")
        ]
        epochs = f"{found['epochs']}/{found['epochs']}"
        middle = ("finished", epochs, str(found["parameters"]), str(found["best_epoch"]))
        return (name, self.dates[name], *middle, *figures)

    def screen(self, title: str, names: list[str]) -> str:
        return screen(title, [HEADERS, *map(self.row, names)])


def screen(title: str, rows: list[tuple[str, ...]]) -> str:
    """A table in plain text, whose first and third columns are texts."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [title]
    for row in rows:
        cells = [
            f"{cell:{'<' if index in (0, 2) else '>'}{width}}"
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join([*lines, ""])


@pytest.fixture(scope="module")
def runs(command_in: Callable[[Path], Command], tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(command_in(tmp_path_factory.mktemp("runs")))


def test_the_newest_first(runs: Runs) -> None:
    before = everything(runs.root)
    result = runs.command("runs", **SEEN)
    assert (result.rc, result.stderr) == (0, "")
    assert result.stdout == runs.screen("4 runs in runs", ["tiny-1", "tiny-3", "tiny-2", "blind-1"])
    assert everything(runs.root) == before


def test_only_some(runs: Runs) -> None:
    result = runs.command("runs", "runs/", "-n", "2", **SEEN)
    assert result.stdout == runs.screen("2 of 4 runs in runs", ["tiny-1", "tiny-3"])


@pytest.mark.parametrize(
    ("figure", "key", "reverse"),
    [
        ("val_loss", lambda name, runs: float(runs.row(name)[6]), False),
        ("val_accuracy", lambda name, runs: float(runs.row(name)[7]), True),
        ("parameters", lambda name, runs: int(runs.row(name)[4]), False),
        ("seconds", lambda name, runs: summary(runs.root / name)["seconds"], False),
        ("epochs", lambda name, runs: int(runs.row(name)[3].split("/")[0]), False),
    ],
)
def test_the_best_first(runs: Runs, figure: str, key: Callable[[str, Runs], float], reverse: bool) -> None:
    """Those without the figure come last; a run has one where its files say so."""
    newest = ["tiny-1", "tiny-3", "tiny-2", "blind-1"]
    without = {"val_loss": ["blind-1"], "val_accuracy": ["blind-1"], "epochs": []}.get(figure, ["tiny-3"])
    having = [name for name in newest if name not in without]
    order = sorted(having, key=lambda name: key(name, runs), reverse=reverse)
    result = runs.command("runs", "--sort", figure, **SEEN)
    assert (result.rc, result.stderr) == (0, "")
    assert result.stdout == runs.screen(f"4 runs in runs, by {figure}", [*order, *without])


def test_for_programs(runs: Runs) -> None:
    result = runs.command("runs", "--json", "--sort=started", **SEEN)
    first, stopped, _, blind = json.loads(result.stdout)
    found = summary(runs.root / "tiny-1")
    figures = {f"{split}_{key}": value for split in ("val", "test") for key, value in found[split].items()}
    assert first == {
        "run": "runs/tiny-1",
        "name": "tiny",
        "started": datetime.fromtimestamp(DAY + 9 * 3600, UTC).isoformat(),
        "state": "finished",
        "epochs": 3,
        "planned_epochs": 3,
        "parameters": found["parameters"],
        "best_epoch": found["best_epoch"],
        "folds": None,
        "seconds": found["seconds"],
        "figures": figures,
    }
    top = best(runs.root / "tiny-3")
    assert stopped["figures"] == {name: top[name] for name in ("val_loss", "val_accuracy")}
    assert (stopped["state"], stopped["epochs"]) == ("stopped", len(records(runs.root / "tiny-3")))
    assert (stopped["best_epoch"], stopped["planned_epochs"]) == (top["epoch"], 1000000)
    assert (stopped["parameters"], stopped["seconds"]) == (None, None)
    assert list(blind["figures"]) == ["test_loss", "test_accuracy"]


def test_a_run_by_itself(runs: Runs) -> None:
    result = runs.command("runs", "runs/tiny-2", **SEEN)
    assert result.stdout == runs.screen("1 run in runs/tiny-2", ["tiny-2"])


def test_a_figure_that_no_run_has(runs: Runs) -> None:
    known = "val_loss, val_accuracy, test_loss, test_accuracy, epochs, parameters, best_epoch and seconds"
    wrong = {
        "val_acuracy": "; did you mean 'val_accuracy'?",
        "f1": f"; there is {known.replace(' and ', ', ')} and 1 more",
    }
    for name, more in wrong.items():
        result = runs.command("runs", "--sort", name)
        assert (result.rc, result.stdout) == (2, "")
        assert result.stderr == f"error: --sort: these runs have no {name!r}{more}\n"


def test_runs_are_sorted_without_numpy(runs: Runs) -> None:
    for result in runs.command.each("runs --sort val_loss", "runs --sort val_accuracy"):
        assert (result.rc, "numpy._core" in result.modules) == (0, False)


def test_a_metric_says_what_is_better(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        fabricate(folder / "r" / f"x-{number}", accuracy=number / 2, plugged=number / 2)
    names = lambda sort: [run.path.name for run in history(Path("r"), sort).runs]  # noqa: E731 - used thrice
    highest = ["x-2", "x-1", "x-0"]
    assert names("val_accuracy") == names("val_plugged") == names("test_plugged(k=3)") == highest
    monkeypatch.setattr(Accuracy, "higher_is_better", None)
    assert names("val_accuracy") == highest
    monkeypatch.setattr(Accuracy, "higher_is_better", False)
    assert names("val_accuracy") == highest[::-1]


def fabricate(path: Path, at: float = DAY, **metrics: float | None) -> None:
    """A finished run as the loop would leave it, without checkpoints."""
    path.mkdir(parents=True)
    (path / "config.yaml").write_text("name: x\nloop: {epochs: 2}\n", encoding="utf-8")
    val: dict[str, Any] = {"loss": 0.5, **metrics}
    found = {
        "name": "x",
        "epochs": 2,
        "parameters": 10,
        "best_epoch": 2,
        "seconds": 1.5,
        "last": {"epoch": 2, "train_loss": 0.25},
        "val": val,
        "test": {f"{name}(k=3)": value for name, value in metrics.items()} | {"matrix": [[1, 0], [0, 1]]},
    }
    (path / "summary.json").write_text(json.dumps(found), encoding="utf-8")
    os.utime(path / "config.yaml", (at, at))


def test_what_is_not_finite_and_what_is_no_number(command: Command) -> None:
    fabricate(command.cwd / "runs" / "x-1", accuracy=None)
    result = command("runs", **SEEN)
    headers = ("run", "started", "state", "epochs", "parameters", "best epoch", "val_loss", "val_accuracy")
    row = ("x-1", "2025-03-01 12:00", "finished", "2/2", "10", "2", "0.5000", "not finite")
    rows = [(*headers, "test_accuracy(k=3)"), (*row, "not finite")]
    assert result.stdout == screen("1 run in runs", rows)
    assert result.stderr == ""


LOCK = """
import fcntl, os, sys
fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""


@contextmanager
def locked(path: Path) -> Iterator[subprocess.Popen[str]]:
    """While another process has the directory, as one that trains has."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", LOCK, path], stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield process
        process.kill()


def test_a_run_in_progress(folder: Path) -> None:
    path = folder / "runs" / "x-1"
    fabricate(path)
    (path / "summary.json").unlink()
    assert read(path).state == "stopped"
    with locked(path) as process:
        assert read(path).state == "running"
        # Looking does not take the lock away from whoever has it.
        assert read(path).state == "running"
        process.kill()
        process.wait()
        assert read(path).state == "stopped"
    run = read(path)
    assert (run.name, run.epochs, run.planned, run.best_epoch, run.figures) == ("x", 0, 2, None, {})


def test_looking_leaves_no_lock(folder: Path) -> None:
    fabricate(folder / "x-1")
    (folder / "x-1" / "summary.json").unlink()
    assert read(folder / "x-1").state == "stopped"
    with locked(folder / "x-1"):  # which fails where somebody else has it
        pass


def test_a_file_system_without_locks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    fabricate(folder / "x-1")
    (folder / "x-1" / "summary.json").unlink()
    monkeypatch.setattr(past.fcntl, "flock", refuse)
    assert read(folder / "x-1").state == "stopped"


def test_a_run_that_ends_while_it_is_looked_at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody had locked it, because it was done by then."""
    path = folder / "x-1"
    fabricate(path)
    (path / "summary.json").rename(path / "later")
    in_use = past._in_use

    def end(folder: Path) -> bool:
        (path / "later").rename(path / "summary.json")
        return in_use(folder)

    monkeypatch.setattr(past, "_in_use", end)
    assert (read(path).state, read(path).parameters) == ("finished", 10)


def test_a_line_that_is_being_written(folder: Path) -> None:
    path = folder / "x-1"
    fabricate(path)
    (path / "summary.json").unlink()
    lines = [
        '{"epoch": 1, "train_loss": 0.5, "val_loss": 0.75, "val_accuracy": 0.5, "lr": 0.1, "seconds": 0.1}',
        '{"epoch": 2, "train_loss": 0.4, "val_loss": 0.5, "val_accuracy": 0.25, "lr": 0.1, "seconds": 0.1}',
        '{"epoch": 3, "train_loss": 0.3, "val_loss": 0.5, "val_accuracy": 1, "lr": 0.1, "seconds": 0.1}',
        '{"epoch": 4, "train_loss": 0.1',
    ]
    (path / "metrics.jsonl").write_text("\n".join(lines), encoding="utf-8")
    run = read(path)
    assert (run.epochs, run.best_epoch) == (3, 2)  # of equals the first, as in training
    assert run.figures == {"val_loss": 0.5, "val_accuracy": 0.25}


@pytest.mark.parametrize(
    ("losses", "epoch"),
    [
        ([{"train_loss": 3}, {"train_loss": 1}, {"train_loss": 2}], 2),
        ([{"train_loss": 1}, {"train_loss": 2, "val_loss": 9}, {"train_loss": 1}], 2),  # not evaluated each epoch
        ([{"train_loss": None}, {"train_loss": 1e300}], 2),
        ([{"train_loss": None}], None),
    ],
)
def test_the_best_epoch_of_a_stopped_run(
    folder: Path, losses: list[dict[str, float | None]], epoch: int | None
) -> None:
    fabricate(folder / "x-1")
    (folder / "x-1" / "summary.json").unlink()
    text = "".join(json.dumps({"epoch": number} | item) + "\n" for number, item in enumerate(losses, 1))
    (folder / "x-1" / "metrics.jsonl").write_text(text, encoding="utf-8")
    assert read(folder / "x-1").best_epoch == epoch


@pytest.mark.parametrize(
    ("watched", "epoch"),
    [
        ("accuracy", 3),
        ("val_accuracy", 3),
        ("rmse", 1),
        ("train_loss", 2),
        ("val_loss", 1),
        ("f1(average=macro)", 2),
    ],
)
def test_the_best_epoch_of_a_stopped_run_is_that_which_it_watches(folder: Path, watched: str, epoch: int) -> None:
    fabricate(folder / "x-1")
    (folder / "x-1" / "summary.json").unlink()
    (folder / "x-1" / "config.yaml").write_text(f"name: x\nloop: {{epochs: 9, monitor: {watched}}}\n", "utf-8")
    names = ("train_loss", "val_loss", "val_accuracy", "val_rmse", "val_f1(average=macro)")
    rows = ((3, 1, 0.25, 1, 0.5), (1, 2, 0.5, 2, 0.75), (2, 3, 0.75, 3, 0.25))
    lines = [
        json.dumps({"epoch": number} | dict(zip(names, row, strict=True))) for number, row in enumerate(rows, 1)
    ]
    (folder / "x-1" / "metrics.jsonl").write_text("\n".join([*lines, ""]), encoding="utf-8")
    assert read(folder / "x-1").best_epoch == epoch


SUMMARY = (
    '{"name": "x", "epochs": 2, "parameters": 10, "best_epoch": 2, "seconds": 1.5, "last": {"epoch": 2}, '
    '"val": {"loss": 0.5}}'
)
LINE = '{"epoch": 1, "train_loss": 0.5, "val_loss": 0.5}\n'
NOT_JSON = "this is not JSON, or only the beginning of it"
BROKEN = [
    ("summary.json", "", f"warning: {{path}}: damaged: {NOT_JSON}"),
    ("summary.json", SUMMARY[:-1], f"warning: {{path}}: damaged: {NOT_JSON}"),
    ("summary.json", 100_000 * "[", f"warning: {{path}}: damaged: {NOT_JSON}"),
    ("summary.json", "[1]", "warning: {path}: damaged: Input should be an object"),
    ("summary.json", "{}", "warning: {path}: damaged: name: Field required"),
    (
        "summary.json",
        SUMMARY.replace("10", "-1"),
        "warning: {path}: damaged: parameters: Input should be greater than or equal to 0",
    ),
    (
        "summary.json",
        SUMMARY.replace("10", "1" + 30 * "0"),
        "warning: {path}: damaged: parameters: Input should be less than 10000000000000000000",
    ),
    (
        "summary.json",
        SUMMARY.replace("10", "true"),
        "warning: {path}: damaged: parameters: Input should be a valid integer",
    ),
    (
        "summary.json",
        SUMMARY.replace("0.5", "NaN"),
        "warning: {path}: damaged: val.loss: Input should be a finite number",
    ),
    (
        "summary.json",
        SUMMARY.replace("0.5", "1e999"),
        "warning: {path}: damaged: val.loss: Input should be a finite number",
    ),
    (
        "summary.json",
        SUMMARY.replace("loss", r"\u001b[31m"),
        "warning: {path}: damaged: val.\ufffd[31m: '\\x1b[31m' is a name that cannot be shown",
    ),
    (
        "summary.json",
        SUMMARY.replace("0.5", "1" + 400 * "0"),
        "warning: {path}: damaged: val.loss: Input should be a finite number",
    ),
    ("summary.json", None, "warning: {path}: damaged: this is not a file"),
    ("metrics.jsonl", LINE + "{\n" + LINE, f"warning: {{path}}:2: damaged: {NOT_JSON}"),
    ("metrics.jsonl", LINE + "\0\0\0\n", f"warning: {{path}}:2: damaged: {NOT_JSON}"),
    (
        "metrics.jsonl",
        LINE.replace("1", "1.5"),
        "warning: {path}:1: damaged: epoch: Input should be a valid integer",
    ),
    (
        "metrics.jsonl",
        '{"epoch": 1, "val_loss": "low"}\n',
        "warning: {path}:1: damaged: val_loss: Input should be a valid number",
    ),
    ("metrics.jsonl", None, "warning: {path}: damaged: this is not a file"),
    ("config.yaml", "- 1\n", "{path}:1:1: warning: a config is a mapping ('key: value' lines), and this is a list"),
    ("config.yaml", "loop: {}\n", "warning: {path}: damaged: name: Field required"),
    (
        "config.yaml",
        "name: x\nloop: {epochs: many}\n",
        "warning: {path}: damaged: loop.epochs: Input should be a valid integer",
    ),
]


def test_damaged_files(runs: Runs) -> None:
    """Each is named in a warning, and the others are listed."""
    folder = runs.command.cwd / "damaged"
    expected = []
    for number, (name, text, message) in enumerate(BROKEN):
        path = folder / f"x-{number:02}"
        fabricate(path, DAY - number)
        (path / "summary.json").unlink()
        if text is None:
            os.mkfifo(path / name)
        else:
            (path / name).write_text(text, encoding="utf-8")
        os.utime(path / "config.yaml", (DAY - number, DAY - number))
        expected.append(message.replace("{path}", f"damaged/x-{number:02}/{name}"))
    fabricate(folder / "good")
    before = everything(folder)
    result = runs.command("runs", "damaged", "--json")
    assert (result.rc, [run["run"] for run in json.loads(result.stdout)]) == (0, ["damaged/good"])
    assert [line for line in result.stderr.splitlines() if line[0] != " "] == expected
    assert everything(folder) == before


def test_what_is_no_run(command: Command) -> None:
    folder = command.cwd / "runs"
    fabricate(folder / "x-1")
    (folder / "notes.txt").touch()
    (folder / ".cache").mkdir()
    (folder / "data" / "x-2").mkdir(parents=True)
    (folder / "dangling").symlink_to("nowhere")
    (folder / "linked").symlink_to("x-1")
    (folder / "circle").symlink_to("circle")
    (folder / "loop").mkdir()
    (folder / "loop" / "config.yaml").symlink_to("config.yaml")
    fabricate(folder / "\x1b[2J")
    fabricate(folder / os.fsdecode(b"\xff"))
    os.utime(folder / "x-1" / "config.yaml", (DAY, DAY))
    result = command("runs", "--json")
    assert (result.rc, [run["run"] for run in json.loads(result.stdout)]) == (0, ["runs/linked", "runs/x-1"])
    assert result.stderr == (
        "warning: runs/\ufffd[2J: not the directory of a run: its name cannot be shown\n"
        "warning: runs/data: not the directory of a run: it has no config.yaml\n"
        "warning: cannot read runs/loop: Too many levels of symbolic links\n"
        "warning: runs/\ufffd: not the directory of a run: its name cannot be shown\n"
    )


def test_a_date_that_no_calendar_has(folder: Path) -> None:
    fabricate(folder / "r" / "x-1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(past, "datetime", Never)
        found = history(Path("r"))
    message = "warning: r/x-1/config.yaml: its date is in no year that there is; touch it"
    assert (found.runs, found.total, list(map(str, found.warnings))) == ([], 0, [message])


class Never:
    """What a file system with 64 bits for a date can lead to."""

    @staticmethod
    def fromtimestamp(_: float) -> datetime:
        raise OverflowError("year is out of range")


def test_a_file_larger_than_any(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past, "LARGEST", 40)
    fabricate(folder / "x-1")
    with pytest.raises(
        CheckpointError, match=r"/x-1/summary.json: damaged: it is larger than anything a run writes$"
    ):
        read(folder / "x-1")
    (folder / "x-1" / "summary.json").unlink()
    (folder / "x-1" / "metrics.jsonl").write_text(2 * '{"epoch": 1, "train_loss": 1}\n', encoding="utf-8")
    assert read(folder / "x-1").epochs == 1
    (folder / "x-1" / "metrics.jsonl").write_text(41 * " ", encoding="utf-8")
    with pytest.raises(
        CheckpointError, match=r"/x-1/metrics.jsonl: damaged: it is larger than anything a run writes$"
    ):
        read(folder / "x-1")


def test_where_no_runs_are(command: Command) -> None:
    (command.cwd / "empty").mkdir()
    (command.cwd / "file").touch()
    default, missing, file, empty, as_json, sort = command.each(
        "runs", "runs there", "runs file", "runs empty", "runs empty --json", "runs empty --sort nothing"
    )
    too_long = command("runs", 300 * "x")
    assert (too_long.rc, too_long.stderr) == (5, f"error: cannot read {300 * 'x'}: File name too long\n")
    hint = "; declnet train writes runs to it"
    assert (default.rc, default.stderr) == (2, f"error: runs: there is no such directory{hint}\n")
    assert (missing.rc, missing.stderr) == (2, "error: there: there is no such directory\n")
    assert (file.rc, file.stderr) == (2, "error: file: this is no directory\n")
    for result, stdout in ((empty, "no runs in empty\n"), (as_json, "[]\n"), (sort, "no runs in empty\n")):
        assert (result.rc, result.stdout, result.stderr) == (0, stdout, "")


OPENED = """
import json, sys

opened = []
sys.addaudithook(lambda event, args: event == "open" and isinstance(args[0], str) and opened.append(args[0]))
sys.argv[0] = "declnet"
from declnet.app import main

code = main()
print(json.dumps([path for path in opened if path.startswith("many/")]), file=sys.stderr)
sys.exit(code)
"""


def test_a_thousand_runs_are_a_thousand_files(command: Command) -> None:
    """Of a finished run only the summary is opened; of the others those that are asked for."""
    for number in range(1000):
        fabricate(command.cwd / "many" / f"x-{number}", DAY - number)
    stopped = "many/x-3"
    (command.cwd / stopped / "summary.json").unlink()
    (command.cwd / stopped / "metrics.jsonl").write_text(LINE, encoding="utf-8")

    def opened(*args: str) -> list[str]:
        result = command.run([sys.executable, "-c", OPENED, "runs", "many", *args])
        assert (result.rc, len(result.stdout.splitlines())) == (0, 2 + min(1000, int(args[-1])))
        found = json.loads(result.stderr)
        assert isinstance(found, list)
        return found

    def files(number: int) -> list[str]:
        names = [f"many/x-{index}/summary.json" for index in range(number)]
        return [*names[:3], stopped, f"{stopped}/config.yaml", f"{stopped}/metrics.jsonl", *names[4:]]

    assert opened("-n", "5") == files(5)
    assert opened("-n", "2000") == files(1000)
    assert opened("--sort", "val_loss", "-n", "7") == files(1000)
