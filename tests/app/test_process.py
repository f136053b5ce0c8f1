"""The command as a process: signals, pipes nobody reads, terminals, and how errors become exit codes."""

from __future__ import annotations

import gc
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import declnet.app.train
from declnet import errors
from declnet.app import main
from declnet.errors import DeclnetError, Diagnostic, Mark

if TYPE_CHECKING:
    from conftest import Command

CONFIG = Path(__file__).parents[2] / "configs" / "digits_mlp.yaml"
EXIT_CODES = {
    "DeclnetError": 70,
    "ConfigError": 2,
    "PluginError": 2,
    "ShapeError": 2,
    "DataError": 3,
    "NonFiniteError": 4,
    "MachineError": 5,
    "CheckpointError": 6,
    "BusyError": 7,
    "Interrupted": 130,
    "Terminated": 143,
}


@pytest.fixture
def command(command: Command) -> Command:
    shutil.copy(CONFIG, command.cwd / "c.yaml")
    return command


@pytest.mark.parametrize(("number", "rc"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_the_run_after_a_checkpoint(command: Command, number: int, rc: int) -> None:
    process = command.start("train", "c.yaml", "loop.epochs=100000", "--run-dir", "r")
    assert process.stderr is not None
    seen = [process.stderr.readline() for _ in range(3)]
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=30)
    *lines, last = stderr.splitlines()
    assert (process.returncode, stdout) == (rc, "")
    pattern = (
        r"error: stopped by a signal at epoch (\d+), step (\d+); r/checkpoints/last.npz holds what was learned; "
        r"to go on: --resume r"
    )
    found = re.fullmatch(pattern, last)
    assert found, last
    epoch, step = map(int, found.groups())
    records = [json.loads(line) for line in (command.cwd / "r/metrics.jsonl").read_text("utf-8").splitlines()]
    assert [record["epoch"] for record in records] == list(range(1, epoch))
    assert len(seen) + len(lines) == 1 + len(records)
    with np.load(command.cwd / "r/checkpoints/last.npz", allow_pickle=False) as archive:
        meta = json.loads(archive["meta"].item())
        assert (meta["epoch"], meta["partial"]["step"], meta["step"]) == (epoch - 1, step, 45 * (epoch - 1) + step)
        assert all(np.isfinite(archive[name]).all() for name in archive.files if name != "meta")
    assert not list(command.cwd.rglob("*.tmp"))
    assert not (command.cwd / "r/summary.json").exists()


def test_a_second_signal_ends_the_process(command: Command) -> None:
    code = (
        "import os, signal\n"
        "from declnet.runner.signals import Signals\n"
        "with Signals() as signals:\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    print(signals.received, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    print('still there', flush=True)\n"
    )
    result = command.run([sys.executable, "-c", code])
    assert (result.rc, result.stdout, result.stderr) == (-signal.SIGTERM, f"{signal.SIGTERM.value}\n", "")


@pytest.mark.parametrize(
    ("arguments", "redirection", "rc", "stderr"),
    [
        pytest.param("list-components", "| true", 5, "", id="pipe"),
        pytest.param(
            "validate c.yaml",
            "> /dev/full",
            5,
            "error: cannot write to stdout: No space left on device\n",
            id="full",
        ),
        pytest.param("validate c.yaml", ">&-", 0, "", id="no stdout"),
        pytest.param(
            "train c.yaml loop.epochs=1",
            "2>&-",
            0,
            "",
            id="no stderr",
        ),
    ],
)
def test_stdout_that_takes_nothing(
    command: Command, arguments: str, redirection: str, rc: int, stderr: str
) -> None:
    line = f"set -o pipefail; {sys.executable} -m declnet {arguments} {redirection}"
    result = command.run(["bash", "-c", line], PYTHONWARNINGS="")  # what stands in for stdout is never closed
    assert (result.rc, result.stderr) == (rc, stderr)


@pytest.mark.parametrize(
    ("arguments", "rc"), [("train c.yaml loop.epochs=1 --run-dir r", 5), ("validate none.yaml", 2)]
)
def test_a_stderr_that_takes_nothing(command: Command, arguments: str, rc: int) -> None:
    result = command.run(["bash", "-c", f"{sys.executable} -m declnet {arguments} 2> /dev/full"], PYTHONWARNINGS="")
    assert (result.rc, result.stdout) == (rc, "")
    if rc == 5:
        assert command("train", "-q", "--resume", "r").rc == 0


@pytest.mark.parametrize("limit", [100, 140])
def test_too_little_memory_is_said_before_there_is_a_directory(command: Command, limit: int) -> None:
    line = f"ulimit -v {limit}000; {sys.executable} -m declnet train c.yaml --run-dir r"
    result = command.run(["bash", "-c", line])
    assert (result.rc, result.stdout) == (5, "")
    assert re.fullmatch(r"error: not enough memory: \d[\d,]+ bytes more are needed .*\n", result.stderr)
    assert not (command.cwd / "r").exists()


def test_names_that_stdout_has_no_signs_for(command: Command) -> None:
    shutil.copy(CONFIG, command.cwd / "\xe4.yaml")
    result = command("validate", "\xe4.yaml", PYTHONIOENCODING="ascii")
    assert (result.rc, result.stderr) == (0, "")
    assert "\\xe4.yaml" in result.stdout


def on_a_terminal(
    command: Command, *args: str, stop: int | None = None, columns: int = 100, **env: str
) -> tuple[int, str]:
    """Run on a pseudo-terminal; with `stop`, send that signal once a bar moves."""
    fcntl, pty, termios = (pytest.importorskip(name) for name in ("fcntl", "pty", "termios"))
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    environment = {key: value for key, value in command.env.items() if key != "COLUMNS"} | {"TERM": "xterm"} | env
    process = subprocess.Popen(
        command.arguments(*args), cwd=command.cwd, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    output = b""
    while True:
        try:
            piece = os.read(ours, 1 << 16)
        except OSError:  # how Linux says that the other side is closed
            break
        if not piece:
            break
        output += piece
        if stop is not None and b"steps/s" in output:
            process.send_signal(stop)
            stop = None
    os.close(ours)
    assert fcntl
    return process.wait(), output.decode()


HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


def test_a_terminal_shows_a_bar(command: Command) -> None:
    rc, output = on_a_terminal(command, "train", "c.yaml", "loop.epochs=5")
    assert rc == 0
    assert re.search(r"━.*225/225.* steps/s", output)
    assert re.search(r"\x1b\[3\d", output), "no colour"
    assert output.count(HIDE) == output.count(SHOW) == 1
    after = output.split(SHOW)[1]
    assert "digits-mlp: best epoch 5 of 5" in after
    assert "━" not in after
    for epoch in range(1, 6):
        assert len(re.findall(rf"epoch {epoch}/5  train_loss \d\.\d{{4}}  val_loss", output)) == 1


def test_no_color_is_honoured(command: Command) -> None:
    rc, output = on_a_terminal(command, "train", "c.yaml", "loop.epochs=2", NO_COLOR="1")
    assert rc == 0
    assert "━" in output
    colours = [code for codes in re.findall(r"\x1b\[([0-9;]*)m", output) for code in codes.split(";")]
    assert set(colours) <= {"", "0", "1"}  # bold is no colour


def test_a_dumb_terminal_gets_plain_text(command: Command) -> None:
    rc, output = on_a_terminal(command, "train", "c.yaml", "loop.epochs=2", TERM="dumb")
    assert (rc, "\x1b" in output) == (0, False)
    assert "epoch 2/2" in output


def test_an_interrupted_bar_leaves_the_terminal_in_order(command: Command) -> None:
    rc, output = on_a_terminal(command, "train", "c.yaml", "loop.epochs=100000", stop=signal.SIGINT)
    assert rc == 130
    assert output.count(HIDE) == output.count(SHOW) == 1
    assert output.rindex(SHOW) < output.index("error: stopped by a signal at epoch")
    assert output.endswith("to go on: --resume runs/digits-mlp-1\r\n")


def plain(output: str) -> list[str]:
    """The lines without codes, and without the spaces that end them."""
    return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", output).splitlines()]


def test_a_tree_on_a_narrow_terminal(command: Command) -> None:
    rc, output = on_a_terminal(command, "inspect", "c.yaml", columns=50)
    assert rc == 0
    lines = plain(output)
    assert max(map(len, lines)) <= 50
    at = lines.index("├── 0: Linear(in_features: 64, out_features: 256)")
    assert lines[at + 1 : at + 4] == [
        "│   -> (32, 256)",
        "│   16,640 parameters, 1,056,768 FLOPs, 325.0 KiB",
        "│   learned, 32.0 KiB activations",
    ]


def test_a_tree_without_colours(command: Command) -> None:
    rc, output = on_a_terminal(command, "inspect", "c.yaml", NO_COLOR="1")
    assert rc == 0
    codes = {code for codes in re.findall(r"\x1b\[([0-9;]*)m", output) for code in codes.split(";")}
    assert codes == {"0", "1", "2"}  # bold and dim are no colours


@pytest.mark.parametrize(("columns", "rows"), [(100, True), (60, False)])
def test_a_table_never_breaks_a_number(command: Command, columns: int, rows: bool) -> None:
    """Where there is no room for the columns, each row is a paragraph."""
    rc, output = on_a_terminal(command, "validate", "c.yaml", columns=columns)
    assert rc == 0
    lines = plain(output)
    assert max(map(len, lines)) <= columns
    for number in ("16,640", "1,056,768", "325.0", "19,210", "1,238,912"):
        assert any(re.search(rf"(?<![\d,]){number}(?!\d|,\d)", line) for line in lines), number
    assert any(re.match(r"0 +Linear +\(32, 256\) +16,640 ", line) for line in lines) is rows


@pytest.mark.parametrize(
    ("columns", "row"),
    [
        (140, r"0 +\d+ +Linear +\(32, 256\) +45 +\d+\.\d{4} .* compute +\d+\.\d %"),
        (100, r"0 +\d+ +Linear +\(32,.* +\d+\.\d{4} .* compute +\d+\.\d %"),
        (60, r"0 +\d+\.\d{4} +\d+\.\d{4} +\d+\.\d % +compute +\d+\.\d %"),
        (30, r"  line \d+, component Linear,"),
    ],
)
def test_a_profile_leaves_out_what_a_terminal_has_no_room_for(command: Command, columns: int, row: str) -> None:
    rc, output = on_a_terminal(
        command, "train", "c.yaml", "-q", "loop.epochs=1", "--profile", columns=columns, NO_COLOR="1"
    )
    lines = plain(output)
    lines = lines[lines.index("") :]  # behind the summary
    assert rc == 0
    assert max(map(len, lines)) <= columns
    assert any(re.match(row, line) for line in lines), output
    codes = {code for codes in re.findall(r"\x1b\[([0-9;]*)m", output) for code in codes.split(";")}
    assert codes <= {"0", "1"}  # bold is no colour


def test_runs_on_a_terminal(command: Command) -> None:
    """A line a run where there is room, else a paragraph; key paths are never broken."""
    for rate in ("0.01", "0.02"):
        assert command("train", "c.yaml", "loop.epochs=1", f"optimizer.lr={rate}").rc == 0
    for columns, row in ((140, r"digits-mlp-1 +\d{4}-"), (60, r"  started \d{4}-")):
        rc, output = on_a_terminal(command, "runs", columns=columns)
        lines = plain(output)
        assert (rc, lines[0], max(map(len, lines)) <= columns) == (0, "2 runs in runs", True)
        assert any(re.match(row, line) for line in lines)
    for columns, row in ((40, r"optimizer\.lr +0\.01 +0\.02"), (30, r"optimizer\.lr")):
        rc, output = on_a_terminal(
            command, "compare", "digits-mlp-1", "digits-mlp-2", columns=columns, NO_COLOR="1"
        )
        assert (rc, not re.search(r"\x1b\[3\d", output)) == (0, True)
        lines = plain(output)
        assert (lines[0], max(map(len, lines)) <= columns) == ("the configs differ in 1 place", True)
        assert any(re.fullmatch(row, line) for line in lines)


class BoomError(Exception):
    """A bug."""


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[BaseException], int]]:
    """Run `declnet train` in this process, where loading the config raises this error."""
    monkeypatch.setenv("PYDANTIC_DISABLE_PLUGINS", "1")
    monkeypatch.delenv("DECLNET_DEBUG", raising=False)

    def run(error: BaseException) -> int:
        def load(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr(declnet.app.train, "load", load)
        monkeypatch.setattr(sys, "argv", ["declnet", "train", "c.yaml"])
        return main()

    yield run
    gc.enable()


def test_every_error_has_an_exit_code_of_the_table() -> None:
    found = {
        name: cls for name, cls in vars(errors).items() if isinstance(cls, type) and issubclass(cls, Exception)
    }
    assert {name: found[name].exit_code for name in EXIT_CODES} == EXIT_CODES
    assert {cls.exit_code for cls in found.values()} == set(EXIT_CODES.values())


@pytest.mark.parametrize("name", EXIT_CODES)
def test_an_error_ends_with_its_exit_code(
    fail: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str], name: str
) -> None:
    cls: type[DeclnetError] = getattr(errors, name)
    place = Diagnostic("this is wrong", ("model", 0, "p"), Mark("c.yaml", 3, 5, "    p: 2"))
    short = name in ("PluginError", "ShapeError")
    error = cls("in short") if short else cls("in short", place)
    assert fail(error) == EXIT_CODES[name]
    second = "" if short else "c.yaml:3:5: error: model[0].p: this is wrong\n        p: 2\n        ^\n"
    assert capsys.readouterr() == ("", f"error: in short\n{second}")


@pytest.mark.parametrize("error", [BoomError("who knows\n"), RecursionError("too deep"), AssertionError("never")])
def test_a_bug_is_reported_without_a_traceback(
    fail: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    assert fail(error) == 70
    stdout, stderr = capsys.readouterr()
    assert stdout == ""
    place = f"{re.escape(__file__)}:\\d+"
    what = re.escape(f"{type(error).__name__}: {error}")
    advice = "This is a bug in declnet; please report it. With DECLNET_DEBUG=1 the traceback is shown."
    assert re.fullmatch(rf"internal error: {what} at {place}\n{re.escape(advice)}\n", stderr)


def test_a_bug_shows_its_traceback_where_that_is_asked_for(
    fail: Callable[[BaseException], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DECLNET_DEBUG", "1")
    with pytest.raises(BoomError):
        fail(BoomError())


def test_no_memory_is_the_machine_s_refusal(
    fail: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert fail(MemoryError("Unable to allocate 1 TiB")) == 5
    assert capsys.readouterr() == ("", "error: not enough memory: Unable to allocate 1 TiB\n")


def test_an_interrupt_before_the_run_starts(
    fail: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert fail(KeyboardInterrupt()) == 130
    assert "Traceback" not in capsys.readouterr().err
