"""The run directory: its number, and that nothing is ever overwritten."""

from __future__ import annotations

import errno
import os
import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from declnet.errors import ConfigError, DeclnetError, MachineError
from declnet.runner import resumption
from declnet.runner.directory import RunDirectory
from declnet.runner.position import last
from declnet.runner.trained import Trained


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


@pytest.fixture
def synced(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is synced, in this order, as seen from the current folder."""
    found: list[str] = []
    fsync = os.fsync

    def noting(descriptor: int) -> None:
        found.append(os.path.relpath(Path(f"/proc/self/fd/{descriptor}").readlink(), folder.resolve()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    return found


@pytest.mark.parametrize(
    ("wanted", "lasting"),
    [
        (None, [".", "runs", "runs/net-1"]),
        ("r", [".", "r"]),
        ("a/b/c", ["a/b", "a", ".", "a/b/c"]),
    ],
)
def test_a_new_directory_lasts(synced: list[str], wanted: str | None, lasting: list[str]) -> None:
    """Its name is synced in the folder that it is in, and so is that one's where it is new."""
    RunDirectory.create("net", None if wanted is None else Path(wanted))
    assert synced == lasting


def test_only_new_folders_are_synced(synced: list[str]) -> None:
    Path("runs").mkdir()
    Path("r").mkdir()
    RunDirectory.create("net", None)
    RunDirectory.create("net", Path("r"))
    assert synced == ["runs", "runs/net-1", "r"]


def test_records_last_with_their_file_s_name(synced: list[str]) -> None:
    directory = RunDirectory.create("net", Path("r"))
    directory.sync()
    directory.append({"epoch": 1})
    del synced[:]
    directory.sync()
    assert synced == ["r/metrics.jsonl", "r"]


def test_a_record_of_which_the_disk_takes_a_part(folder: Path) -> None:
    """It is refused, and not taken for written."""
    directory = RunDirectory.create("net", Path("r"))
    directory.append({"epoch": 1})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, before[1]))
    try:
        with pytest.raises(MachineError) as caught:
            directory.append({"epoch": 2})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert str(caught.value) == "error: cannot write r/metrics.jsonl: File too large"
    assert Path("r/metrics.jsonl").read_bytes() == b'{"epoch": 1}\n{"epoch'


def test_what_the_machine_refuses_of_a_directory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MachineError) as caught:
        resumption.load(Path("n" * 300))
    assert str(caught.value) == f"error: cannot read {'n' * 300}/config.yaml: File name too long"
    with pytest.raises(MachineError) as caught:
        Trained(Path("n" * 300))
    assert str(caught.value) == f"error: cannot read {'n' * 300}: File name too long"
    with pytest.raises(MachineError) as caught:
        last(RunDirectory(Path("r")))
    assert str(caught.value) == "error: cannot read r/checkpoints: No such file or directory"

    def refused(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    directory = RunDirectory.create("net", Path("r"))
    with monkeypatch.context() as patch, pytest.raises(MachineError) as caught, directory:
        patch.setattr(os, "close", refused)
    assert str(caught.value) == "error: cannot close the run directory r: Input/output error"
