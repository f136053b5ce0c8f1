"""The run directory: its number, and that nothing is ever overwritten."""

from __future__ import annotations

import errno
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from declnet.errors import ConfigError, DeclnetError, MachineError
from declnet.runner.directory import RunDirectory


@pytest.mark.parametrize(
    ("there", "number"),
    [
        ([], 1),
        (["net-1"], 2),
        (["net-2", "net-10"], 11),
        (["net-007"], 8),
        (["net-", "net-x", "net-1x", "xnet-9", "net-1-9", "NET-9", "n.t-9"], 1),
    ],
)
def test_the_next_number(folder: Path, there: list[str], number: int) -> None:
    for name in there:
        (folder / "runs" / name).mkdir(parents=True)
    assert RunDirectory.create("net", None).path == Path(f"runs/net-{number}")


def test_a_dot_in_a_name_is_a_dot(folder: Path) -> None:
    (folder / "runs" / "nxt-4").mkdir(parents=True)
    assert RunDirectory.create("n.t", None).path == Path("runs/n.t-1")


def test_runs_that_start_at_once_get_a_directory_each(folder: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: RunDirectory.create("net", None).path, range(40)))
    assert sorted(paths) == sorted(Path(f"runs/net-{n}") for n in range(1, 41))


@pytest.mark.parametrize("path", ["new", "a/b/c", "empty"])
def test_a_directory_that_was_asked_for(folder: Path, path: str) -> None:
    Path("empty").mkdir()
    created = RunDirectory.create("net", Path(path))
    assert created.path == Path(path)
    assert [item.name for item in Path(path).iterdir()] == ["checkpoints"]


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        ("full", ConfigError, None),
        ("file", ConfigError, None),
        ("file/x", MachineError, "cannot create the run directory file/x: Not a directory"),
        ("nowhere", MachineError, "cannot create the run directory nowhere: File exists"),
    ],
)
def test_a_directory_that_cannot_be(
    folder: Path, path: str, error: type[DeclnetError], message: str | None
) -> None:
    Path("full").mkdir()
    Path("full/.hidden").touch()
    Path("file").touch()
    Path("nowhere").symlink_to("not-there")
    before = sorted(folder.rglob("*"))
    with pytest.raises(error) as caught:
        RunDirectory.create("net", Path(path))
    message = message or (
        f"the run directory {path} exists already and is not an empty directory; a run never overwrites "
        "anything: name another with --run-dir, or remove it"
    )
    assert str(caught.value) == f"error: {message}"
    assert sorted(folder.rglob("*")) == before


def test_runs_is_a_file(folder: Path) -> None:
    Path("runs").touch()
    with pytest.raises(MachineError) as caught:
        RunDirectory.create("net", None)
    assert str(caught.value) == "error: cannot create the run directory runs/net: File exists"


def test_records_are_lines(folder: Path) -> None:
    directory = RunDirectory.create("net", None)
    directory.append({"epoch": 1, "loss": 0.1})
    directory.append({"epoch": 2, "loss": 1e-300})
    text = Path("runs/net-1/metrics.jsonl").read_text(encoding="utf-8")
    assert text == '{"epoch": 1, "loss": 0.1}\n{"epoch": 2, "loss": 1e-300}\n'


@pytest.mark.parametrize("there", [True, False])
def test_a_directory_in_which_no_run_came_to_be_is_as_it_was(folder: Path, there: bool) -> None:
    if there:
        Path("r").mkdir()
    with RunDirectory.create("net", Path("r")):
        assert Path("r/checkpoints").is_dir()
    assert Path("r").exists() is there
    assert not Path("r/checkpoints").exists()
    with RunDirectory.create("net", Path("r")) as made:
        made.write_config("name: net\n")
    assert sorted(path.name for path in Path("r").iterdir()) == ["checkpoints", "config.yaml"]


def test_a_directory_that_cannot_be_locked_is_not_left(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("declnet.runner.directory.lock", refuse)
    with pytest.raises(MachineError, match="cannot create the run directory r: Too many open files"):
        RunDirectory.create("net", Path("r"))
    assert not Path("r").exists()
