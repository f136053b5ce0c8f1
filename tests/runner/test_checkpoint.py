"""Checkpoints: what is written comes back bit for bit, and what is no checkpoint is refused in words."""

from __future__ import annotations

import errno
import gc
import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from declnet.errors import CheckpointError, DeclnetError, MachineError
from declnet.runner.checkpoint import load, part, save
from declnet.runner.files import replacing

if TYPE_CHECKING:
    from conftest import Trained

ARRAYS: dict[str, np.ndarray[Any, Any]] = {
    "model/0.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "model/transposed": np.arange(6, dtype=np.float64).reshape(2, 3).T,
    "model/rare": np.array([-0.0, np.inf, np.nan, 5e-324]),
    "optimizer/0/step": np.array([3, -(2**63)]),
    "optimizer/0/mask": np.array([[True], [False]]),
    "model/empty": np.zeros((0, 3), np.float32),
}
META = {"epoch": 3, "random": {"state": 2**127, "text": "é"}, "none": None}


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.npz"
    save(path, ARRAYS, META)
    return path


def npz(**arrays: object) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type] # what a stranger may have put there
    return file.getvalue()


def npy(array: object) -> bytes:
    file = io.BytesIO()
    np.save(file, array)  # type: ignore[arg-type] # what a stranger may have put there
    return file.getvalue()


def with_header(text: str) -> bytes:
    """An archive of one array with this header."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode())
        archive.writestr("meta.npy", npy(meta('{"format": 1}')))
    return file.getvalue()


def meta(text: str) -> np.ndarray[Any, Any]:
    return np.array(text)


def test_round_trip(good: Path) -> None:
    arrays, found = load(good)
    assert found == {"format": 1, **META}
    assert list(arrays) == list(ARRAYS)
    for name, array in arrays.items():
        assert (array.dtype, array.shape) == (ARRAYS[name].dtype, ARRAYS[name].shape)
        assert array.tobytes() == np.ascontiguousarray(ARRAYS[name]).tobytes()


def test_an_array_without_dimensions_keeps_its_shape(tmp_path: Path) -> None:
    save(tmp_path / "c.npz", {"step": np.array(3)}, {})
    with np.load(tmp_path / "c.npz") as archive:
        assert archive["step"].shape == ()


def test_a_run_s_checkpoint_can_be_loaded(fit: Callable[..., Trained]) -> None:
    text = "data: {source: Digits}\nmodel: [{type: Linear, out_features: 10}]\nloss: CrossEntropyLoss\n"
    text += "optimizer: AdamW\n"
    arrays, found = load(fit(text, "loop.epochs=1").path / "checkpoints" / "last.npz")
    assert (found["format"], found["epoch"]) == (1, 1)
    assert list(part(arrays, "model/")) == ["0.weight", "0.bias"]
    assert list(part(arrays, "optimizer/0/")) == ["exp_avg", "exp_avg_sq"]


def test_the_same_state_gives_the_same_bytes(good: Path, tmp_path: Path) -> None:
    save(tmp_path / "other.npz", ARRAYS, META)
    assert (tmp_path / "other.npz").read_bytes() == good.read_bytes()


DAMAGED = "c.npz: not a checkpoint of declnet, or damaged: "
REFUSED: dict[str, tuple[bytes | None, str]] = {
    "missing": (None, "c.npz: no such checkpoint"),
    "without meta": (npz(weight=np.ones(3)), DAMAGED + "its members are not those that a run writes"),
    "meta is no JSON": (
        npz(meta=meta("{x")),
        DAMAGED + "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
    ),
    "meta is a list": (npz(meta=meta("[1]")), "c.npz: not a checkpoint of declnet: it names no format"),
    "no format": (npz(meta=meta("{}")), "c.npz: not a checkpoint of declnet: it names no format"),
    "newer": (
        npz(meta=meta('{"format": 2}')),
        "c.npz: written by a newer declnet (format 2, this one reads up to 1); upgrade",
    ),
    "objects": (
        npz(meta=meta('{"format": 1}'), x=np.array([None])),
        DAMAGED + "'x.npy' holds neither numbers nor texts, but object",
    ),
    "header of no language": (
        with_header("{'descr': (\n"),
        DAMAGED + "'x.npy' is not an .npy file, or damaged: its header is not one that NumPy writes: "
        "('EOF in multi-line statement', (2, 0))",
    ),
}
HARMFUL: dict[str, tuple[Callable[[zipfile.ZipFile], object], str]] = {
    "a member twice": (
        lambda file: file.writestr("meta.npy", npy(meta("{}"))),
        "it has two members called 'meta.npy'",
    ),
    "a name that leads out of it": (
        lambda file: file.writestr("../x.npy", npy(np.ones(3))),
        "its member '../x.npy' is called as what lies outside of it",
    ),
    "a member that is no array": (
        lambda file: file.writestr("read.me", "words"),
        "its members are not those that a run writes",
    ),
    "a packed member": (
        lambda file: file.writestr("x.npy", npy(np.ones(3)), zipfile.ZIP_DEFLATED),
        "'x.npy' is packed, and a run packs nothing",
    ),
    "bytes behind an array": (
        lambda file: file.writestr("x.npy", npy(np.ones(3)) + b"1"),
        "'x.npy' is not an .npy file, or damaged: it goes on behind its array: its header speaks of 24 bytes, "
        "shape (3,), and there are 25",
    ),
    "a header of more than there is": (
        lambda file: file.writestr("x.npy", npy(np.ones(3)).replace(b"(3,), }       ", b"(3000000000,)}")),
        "'x.npy' is not an .npy file, or damaged: it is cut short: its header speaks of 24,000,000,000 bytes, "
        "shape (3000000000,), and there are 24",
    ),
}
"""What someone can put into a checkpoint, and what is said of it."""


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("case", HARMFUL)
def test_what_is_put_into_a_checkpoint(good: Path, case: str) -> None:
    change, reason = HARMFUL[case]
    with zipfile.ZipFile(good, "a") as archive:
        change(archive)
    with pytest.raises(CheckpointError) as caught:
        load(good)
    assert str(caught.value) == f"error: {good}: not a checkpoint of declnet, or damaged: {reason}"


MISREAD = {
    "empty": (b"", DAMAGED + "File is not a zip file"),
    "truncated": (npz(meta=meta("{}"))[:-30], DAMAGED + "File is not a zip file"),
    "text": (b"hello", DAMAGED + "File is not a zip file"),
    "pickle": (b"\x80\x04K\x01.", DAMAGED + "File is not a zip file"),
    "one array": (npy(np.ones(3)), DAMAGED + "File is not a zip file"),
    "format true": (npz(meta=meta('{"format": true}')), "c.npz: not a checkpoint of declnet: it names no format"),
}
"""numpy.load leaves the file open, advises pickle, or gives one array; a bool is an int."""


@pytest.mark.parametrize(
    "case",
    [*REFUSED, *MISREAD],
)
def test_what_is_no_checkpoint(folder: Path, case: str) -> None:
    content, message = (REFUSED | MISREAD)[case]
    if content is not None:
        Path("c.npz").write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        load(Path("c.npz"))
    assert str(caught.value) == f"error: {message}"
    del caught
    gc.collect()  # a file left open is told here, as a warning, and not in some later test


def test_what_the_machine_refuses_to_read(folder: Path) -> None:
    Path("file").touch()
    with pytest.raises(MachineError) as caught:
        load(Path("file/c.npz"))
    assert str(caught.value) == "error: cannot read file/c.npz: Not a directory"


def test_what_is_no_file(folder: Path) -> None:
    os.mkfifo("pipe")
    Path("loop").symlink_to("loop")
    for path, reason in {
        ".": "it is not a file",
        "pipe": "it is not a file",
        "/dev/zero": "it is not a file",
        "loop": "[Errno 40] Too many levels of symbolic links: 'loop'",
    }.items():
        with pytest.raises(CheckpointError) as caught:
            load(Path(path))
        assert str(caught.value) == f"error: {path}: not a checkpoint of declnet, or damaged: {reason}"


def outcome(path: Path) -> Exception | None:
    try:
        load(path)
    except Exception as error:  # noqa: BLE001 - which one is what the test is about
        return error
    return None


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.arange(6, dtype=np.float64).reshape(2, 3).T,
        np.array(7),
        np.zeros((0, 4), np.float32),
        np.array([True, False]),
    ],
    ids=["C order", "Fortran order", "no dimensions", "nothing", "booleans"],
)
def test_a_member_is_what_numpy_would_write(tmp_path: Path, array: np.ndarray[Any, Any]) -> None:
    save(tmp_path / "c.npz", {"x": array}, {})
    expected = io.BytesIO()
    np.save(expected, np.asarray(array, order="C"))
    with zipfile.ZipFile(tmp_path / "c.npz") as archive:
        assert archive.read("x.npy") == expected.getvalue()


def test_damage_anywhere_is_refused_or_harmless(tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    save(path, {"model/0.weight": np.ones((3, 2), np.float32)}, {"epoch": 1})
    whole = path.read_bytes()
    damaged = [whole[:length] for length in range(0, len(whole), 7)]
    for place in range(len(whole)):
        copy = bytearray(whole)
        copy[place] ^= 0xFF if place % 2 else 0x01
        damaged.append(bytes(copy))
    strange: set[str] = set()
    for content in damaged:
        path.write_bytes(content)
        error = outcome(path)
        if error is not None and not isinstance(error, DeclnetError):
            strange.add(f"{type(error).__name__}: {error}")
    gc.collect()
    assert strange == set()


@pytest.mark.parametrize("call", ["fsync", "write", "replace"])
def test_a_full_disk_leaves_the_old_checkpoint(good: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    before = good.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    where: Any = {"fsync": os, "write": np.lib.format, "replace": Path}[call]
    monkeypatch.setattr(where, {"write": "write_array_header_1_0"}.get(call, call), full)
    with pytest.raises(MachineError) as caught:
        save(good, {"other": np.ones(3)}, {})
    assert str(caught.value) == f"error: cannot write {good}: No space left on device"
    monkeypatch.undo()
    assert [path.name for path in good.parent.iterdir()] == ["good.npz"]
    assert good.read_bytes() == before


def test_no_folder_to_write_to(folder: Path) -> None:
    with pytest.raises(MachineError) as caught:
        save(Path("no/c.npz"), {}, {})
    assert str(caught.value) == "error: cannot write no/c.npz: No such file or directory"


def test_an_interrupted_write_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> None:
        with replacing(tmp_path / "file") as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []
