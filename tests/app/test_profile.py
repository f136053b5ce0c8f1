"""`declnet train --profile`: what it prints, as a table and as JSON, and when."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from app.tiny import everything, prepare
from declnet.app import profile

if TYPE_CHECKING:
    from conftest import Command, Result

STEPS = 3 * 2
"""Epochs of two batches: sixteen rows, eight at a time."""
NODES = ("0", "act", "2", "loss")
HEADERS = [
    *("node", "line", "component", "output", "calls", "forward", "ms", "backward", "ms", "of", "step"),
    *("GFLOP/s", "back", "bound", "of", "limit"),
]
PARTS = (
    "forward",
    "backward",
    "batches",
    "optimizer",
    "evaluation",
    "checkpoints",
    "reading, allocating",
    "run directory",
)
MS, SHARE, RATE = r"\d+\.\d+", r"\d+\.\d %", r"\d+\.\d\d"
ROW = (
    rf"(\S+) +(\d+|\S+:\d+) +(\w+) +(\(.*\)) +(\d+) +{MS} +{MS} +{SHARE} +{RATE} +{RATE} +(compute|memory) +{SHARE}"
)


class Shown:
    """Runs of a tiny config with --profile, made once."""

    def __init__(self, command: Command) -> None:
        prepare(command.cwd)
        self.command = command
        self.plain = command("train", "tiny.yaml", "-q")
        self.table = command("train", "tiny.yaml", "--profile")
        self.config = command("train", "tiny.yaml", "-q", "--profile", "--profile-order", "config")
        self.top = command("train", "tiny.yaml", "-q", "--profile", "--profile-top", "2")
        self.json = command("train", "tiny.yaml", "--profile", "--json")

    def rows(self, result: Result) -> list[re.Match[str]]:
        return [found for line in result.stdout.splitlines() if (found := re.fullmatch(ROW, line))]


@pytest.fixture(scope="module")
def shown(command_in: Callable[[Path], Command], tmp_path_factory: pytest.TempPathFactory) -> Shown:
    return Shown(command_in(tmp_path_factory.mktemp("profile")))


def test_a_table_of_nodes_and_one_of_parts(shown: Shown) -> None:
    result = shown.table
    assert result.rc == 0
    assert len(result.stderr.splitlines()) == 4, "the progress, as ever"
    summary, nodes, parts, remarks = result.stdout.split("\n\n")
    assert summary.splitlines()[0].startswith("tiny: best epoch ")
    title, headers, *rows = nodes.splitlines()
    assert re.fullmatch(rf"{STEPS} steps, {MS} ms each", title)
    assert headers.split() == HEADERS
    assert sorted(found[1] for found in shown.rows(result)) == sorted(NODES)
    assert len(rows) == len(NODES)
    lines = (shown.command.cwd / "tiny.yaml").read_text("utf-8").splitlines()
    for found in shown.rows(result):
        assert found[3] in lines[int(found[2]) - 1]
        assert found[5] == str(STEPS)
    title, headers, *rows = parts.splitlines()
    assert title == "the whole run"
    assert headers.split() == ["part", "calls", "ms", "each", "seconds", "of", "all"]
    named = [re.split(r" {2,}", row)[0] for row in rows]
    assert named == [*PARTS, "progress", "all the rest", "reading the clock", "all"]
    assert re.search(r"^all +\d+\.\d{3} +100\.0 %$", parts, re.MULTILINE)
    assert re.match(
        r"Limits of this machine, measured now: \d+\.\d GFLOP/s in matrix products on 1 thread; ", remarks
    )
    assert re.search(
        r"\d+\.\d % of the time belong to no part with a name\. Reading the clock takes \d+ ns ", remarks
    )


def test_the_most_expensive_come_first(shown: Shown) -> None:
    def costs(result: Result) -> list[float]:
        lines = result.stdout.split("\n\n")[1].splitlines()[2:]
        return [float(ms[0]) + float(ms[1]) for line in lines if len(ms := re.findall(r"\d+\.\d{4}", line)) == 2]

    for result in (shown.table, shown.top):
        assert (found := costs(result)) == sorted(found, reverse=True)
    assert len(costs(shown.top)) == 2
    assert re.search(rf"^and 2 more +{SHARE}$", shown.top.stdout, re.MULTILINE)


def test_in_the_order_of_the_config(shown: Shown) -> None:
    assert [found[1] for found in shown.rows(shown.config)] == list(NODES)


def test_json_is_the_summary_and_the_profile(shown: Shown) -> None:
    assert shown.json.rc == 0
    found: dict[str, Any] = json.loads(shown.json.stdout)
    profile = found.pop("profile")
    run = shown.command.cwd / found["run_dir"]
    assert found == json.loads((run / "summary.json").read_text("utf-8")), "what is written has no profile"
    assert [node["name"] for node in profile["nodes"]] == list(NODES)
    assert [profile["steps"], profile["runs"], {node["calls"] for node in profile["nodes"]}] == [
        STEPS,
        STEPS,
        {STEPS},
    ]
    limits = profile["limits"]
    assert (limits["threads"], min(limits.values()) > 0) == (1, True)


def test_the_run_is_the_same(shown: Shown) -> None:
    plain, profiled = (shown.command.cwd / "runs" / name for name in ("tiny-1", "tiny-2"))
    for name in ("checkpoints/last.npz", "checkpoints/best.npz", "config.yaml"):
        assert (plain / name).read_bytes() == (profiled / name).read_bytes(), name
    files = [sorted(str(Path(name).relative_to(run)) for name in everything(run)) for run in (plain, profiled)]
    assert files[0] == files[1]
    assert "steps" not in shown.plain.stdout


def test_nodes_of_several_files_say_which(command: Command) -> None:
    prepare(command.cwd)
    (command.cwd / "more.yaml").write_text("extends: tiny.yaml\nloss: [CrossEntropyLoss]\n", encoding="utf-8")
    result = command("train", "more.yaml", "-q", "--profile")
    assert result.rc == 0, result.stderr
    assert re.search(r"^act +tiny\.yaml:8 +ReLU ", result.stdout, re.MULTILINE)
    assert re.search(r"more\.yaml:2 +CrossEntropyLoss ", result.stdout)


@pytest.mark.parametrize("option", ["--profile-order=config", "--profile-top=3"])
def test_how_it_is_shown_without_it(command: Command, option: str) -> None:
    prepare(command.cwd)
    result = command("train", "tiny.yaml", option)
    assert (result.rc, result.stdout) == (2, "")
    assert "--profile-order and --profile-top say how --profile is shown; add --profile" in result.stderr
    assert not (command.cwd / "runs").exists()


@pytest.mark.parametrize("as_json", [False, True])
def test_a_stopped_run_shows_what_was_measured(command: Command, as_json: bool) -> None:
    prepare(command.cwd)
    options = ["--json"] if as_json else []
    process = command.start("train", "tiny.yaml", "loop.epochs=1000000", "--profile", *options)
    assert process.stderr is not None
    for _ in range(4):
        process.stderr.readline()
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, "stopped by a signal" in stderr) == (130, True)
    if as_json:
        found = json.loads(stdout)
        assert found.keys() == {"profile"}
        assert found["profile"]["steps"] >= 2 * 3
    else:
        assert re.match(rf"\n[\d,]+ steps, {MS} ms each\n", stdout)


def test_data_that_are_wrong_have_no_profile(command: Command) -> None:
    prepare(command.cwd)
    (command.cwd / "t.csv").write_text("a,b,c\n1,2,x\n", encoding="utf-8")
    result = command("train", "tiny.yaml", "--profile")
    assert (result.rc, result.stdout) == (3, "")


def test_a_run_that_is_done_says_so(command: Command) -> None:
    prepare(command.cwd)
    assert command("train", "tiny.yaml", "-q").rc == 0
    table, as_json = command.each(
        "train --resume runs/tiny-1 -q --profile", "train --resume runs/tiny-1 -q --profile --json"
    )
    assert (table.rc, as_json.rc) == (0, 0)
    assert table.stdout.endswith("\n\nno step was made, so there is nothing to profile\n")
    assert json.loads(as_json.stdout)["profile"] is None


def test_the_screen_can_be_told_from_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the nodes that a terminal has room for, where nothing is said."""
    assert [profile.Measured("cost", top)._top for top in (None, 3)] == [None, 3]
    monkeypatch.setattr("sys.stdout", Terminal())
    assert [profile.Measured("cost", top)._top for top in (None, 30)] == [profile.TOP, 30]


class Terminal:
    def isatty(self) -> bool:
        return True


def test_the_page_shows_what_is_printed() -> None:
    """Its example, which was printed once, has the columns of today and the nodes of the config."""
    folder = Path(__file__).parents[2]
    page = (folder / "docs" / "profiling.md").read_text("utf-8")
    example = page.split("```")[1]
    assert example.split("\n\n")[1].splitlines()[1].split() == HEADERS
    config = (folder / "configs" / "digits_mlp.yaml").read_text("utf-8").splitlines()
    rows = [found for line in example.splitlines() if (found := re.match(r"(\w+) +(\d+) +(\w+) +\(.*\) +\d", line))]
    assert {found[1] for found in rows} == {"0", "1", "2", "3", "loss"}
    assert all(found[3] in config[int(found[2]) - 1] for found in rows)
