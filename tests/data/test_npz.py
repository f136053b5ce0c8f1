"""NPZ and NPY: what they read and map, what they refuse, and that nothing large is allocated on a header's word."""

from __future__ import annotations

import errno
import io
import os
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from declnet.core.source import Column, Source
from declnet.data import table
from declnet.data.sources.npz import NPY, NPZ, archive_of
from declnet.errors import ConfigError, DataError
from declnet.runner.experiment import load
from declnet.runner.rows import Rows

if TYPE_CHECKING:
    from conftest import Command

Save = Callable[..., None]
PIXELS = np.arange(5 * 2 * 3, dtype=np.uint8).reshape(5, 2, 3)
LABELS = np.arange(5)
FLOATS = np.linspace(0, 1, 15).reshape(5, 3)


Refusal = Callable[[Callable[[], object]], str]


@pytest.fixture(autouse=True)
def _folder(folder: Path) -> None: ...


def source_of(arrays: dict[str, Any], save: str) -> Source:
    if save == "npy":
        for name, array in arrays.items():
            np.save(f"{name}.npy", array, allow_pickle=True)
        return NPY(files={name: Path(f"{name}.npy") for name in arrays})
    {"savez": np.savez, "packed": np.savez_compressed}[save]("a.npz", **arrays)
    return NPZ(path=Path("a.npz"))


@pytest.mark.parametrize("save", ["npy", "savez", "packed"])
def test_reads_what_numpy_saves(save: str) -> None:
    arrays: dict[str, Any] = {
        "pixels": PIXELS,
        "labels": LABELS,
        "bytes": LABELS.astype(np.uint8),
        "floats": np.asfortranarray(FLOATS),
        "half": FLOATS.astype(np.float16),
        "swapped": FLOATS.astype(">f8"),
        "flags": LABELS > 2,
        "tokens": np.arange(20, dtype=np.uint16).reshape(5, 4),
    }
    source = source_of(arrays, save)
    assert source.columns() == {
        "pixels": Column((2, 3)),
        "labels": Column((), "int"),
        "bytes": Column((), "int"),
        "floats": Column((3,), "float"),
        "half": Column((3,), "float"),
        "swapped": Column((3,), "float"),
        "flags": Column(()),
        "tokens": Column((4,), "int"),
    }
    read = source.read([*arrays])
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array)
        assert isinstance(read[name], np.memmap) == (save != "packed")
        assert not (isinstance(read[name], np.memmap) and read[name].flags.writeable)


@pytest.mark.parametrize("save", ["npy", "savez", "packed"])
def test_what_is_no_column_of_numbers(save: str) -> None:
    arrays = {
        "names": np.array(["a", "b"]),
        "raw": np.array([b"a", b"b"]),
        "objects": np.array([{}, []], dtype=object),
        "complex": np.array([1j, 2]),
        "dates": np.array(["2020-01-01"], dtype="M8[D]"),
        "spans": np.array([1], dtype="m8[s]"),
        "records": np.array([(1, 2)], dtype=[("a", "i4"), ("b", "f4")]),
        "single": np.array(5),
        "nothing": np.zeros((5, 0)),
    }
    columns = source_of(arrays, save).columns()
    words = ["text", "bytes", "pickl", "complex", "dates", "time spans", "records", "a single number", "(5, 0)"]
    for name, word in zip(arrays, words, strict=True):
        assert word in columns[name].refused, name
        with pytest.raises(ConfigError) as caught:
            table.field(columns, name, None)
        assert str(caught.value) == f"error: column {name!r} {columns[name].refused}"


CONFIG = """\
data:
  source: {type: NPZ, path: a.npz}
  inputs: %s
  targets: y
  split: {train: 0.8, val: 0.2, test: 0}
model: [Flatten, {type: Linear, out_features: 2}]
loss: CrossEntropyLoss
optimizer: SGD
loop: {epochs: 1, batch_size: 2}
"""


def test_a_run(command: Command) -> None:
    np.savez("a.npz", x=PIXELS, y=LABELS % 2, names=np.array(["a"] * 5))
    Path("c.yaml").write_text(CONFIG % "x", encoding="utf-8")
    trained = command("train", "c.yaml", "--run-dir", "run")
    assert (trained.rc, trained.stderr.count("error")) == (0, 0)
    Path("wrong.yaml").write_text(CONFIG % "names", encoding="utf-8")
    refused = command("validate", "wrong.yaml")
    assert (refused.rc, refused.stderr) == (
        2,
        "wrong.yaml:3:11: error: data.inputs: column 'names' holds text, and declnet reads numbers: save numbers "
        "instead, np.unique(names, return_inverse=True)[1]\n      inputs: names\n              ^\n",
    )
    np.savez("a.npz", x=PIXELS, y=LABELS[:4])
    refused = command("train", "c.yaml")
    assert (refused.rc, refused.stdout) == (3, "")
    assert refused.stderr == (
        "c.yaml:2:11: error: data.source: a.npz: column 'x' has 5 rows, column 'y' 4; a row needs both\n"
        "      source: {type: NPZ, path: a.npz}\n              ^\n"
    )


def header(shape: str, descr: str = "'<f4'", version: bytes = b"\1\0") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY" + version + len(text).to_bytes(2 if version == b"\1\0" else 4, "little") + text


NOT_NUMPYS = "its header is not one that NumPy writes: "
DAMAGED = [
    (b"", NOT_NUMPYS),
    (b"\x93NUMPX\1\0", NOT_NUMPYS),
    (header("(1,)")[:50], NOT_NUMPYS),
    (b"\x93NUMPY\2\0" + b"\xff" * 4, NOT_NUMPYS),
    (header("(1,)", "'<f4'", b"\3\0"), "its format is 3.0, and declnet reads 1.0 and 2.0"),
    (header("(1,)", "'<f4'", b"\2\0")[:-1], NOT_NUMPYS),
    (header("'x'"), NOT_NUMPYS),
    (header("(1,)", "'<q99'"), NOT_NUMPYS),
    (header("(1,)", "__import__('os').system('touch ran')"), NOT_NUMPYS),
    (header("(-5, 3)") + bytes(99), "its header speaks of a shape (-5, 3)"),
    (header("(5,)") + bytes(19), "it is cut short: its header speaks of 20 bytes, shape (5,), and there are 19"),
    (
        header("(1000000000000, 1000)") + bytes(19),
        "it is cut short: its header speaks of 4,000,000,000,000,000 bytes, "
        "shape (1000000000000, 1000), and there are 19",
    ),
    (header("(" + "[" * 80 + ")"), NOT_NUMPYS),
]


@pytest.mark.parametrize(("content", "reason"), DAMAGED)
@pytest.mark.parametrize("save", ["npy", "stored", "packed"])
def test_damaged_arrays(content: bytes, reason: str, save: str, refusal: Refusal) -> None:
    if save == "npy":
        Path("x.npy").write_bytes(content)
        source: Source = NPY(files={"x": Path("x.npy")})
        start = f"files.x: x.npy: is not an .npy file, or damaged: {reason}"
    else:
        with zipfile.ZipFile("a.npz", "w", {"stored": 0, "packed": 8}[save]) as archive:
            archive.writestr("x.npy", content)
        source = NPZ(path=Path("a.npz"))
        start = f"path: a.npz: 'x.npy' is not an .npy file, or damaged: {reason}"
    tracemalloc.start()
    try:
        assert refusal(source.columns).startswith(start)
        assert refusal(lambda: source.read(["x"])).startswith(start)
        assert tracemalloc.get_traced_memory()[1] < 2e6
    finally:
        tracemalloc.stop()
    assert not Path("ran").exists()


def packed(content: bytes, how: int = 8, name: str = "x.npy") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", how) as archive:
        archive.writestr(name, content)
    return file.getvalue()


def test_archives_that_lie(refusal: Refusal) -> None:
    """A member that says it unpacks to terabytes; one that holds less than it says; and no archive at all."""
    source = NPZ(path=Path("a.npz"))
    big = header("(1000000000000,)")
    raw = bytearray(packed(big))
    length = len(big).to_bytes(4, "little")
    said = (0xFFFFFFF0).to_bytes(4, "little")
    Path("a.npz").write_bytes(bytes(raw).replace(length, said))
    assert "'x.npy' is said to unpack to 4,294,967,280 bytes, more than its" in refusal(source.columns)
    Path("a.npz").write_bytes(packed(big, zipfile.ZIP_BZIP2))
    assert "packed as NumPy never does" in refusal(source.columns)
    Path("a.npz").write_bytes(b"PK\3\4")
    assert refusal(source.columns).startswith("path: a.npz: is not an .npz file, or damaged: ")
    honest = np.zeros(20_000, np.float32)
    np.savez_compressed("a.npz", x=honest)
    data = Path("a.npz").read_bytes()
    middle = data.index(b"PK\1\2") // 2
    Path("a.npz").write_bytes(data[:middle] + bytes(8) + data[middle + 8 :])
    assert "a.npz" in refusal(lambda: source.read(["x"]))


@pytest.mark.parametrize("cut", range(0, 500, 7))
def test_an_archive_cut_short(cut: int, refusal: Refusal) -> None:
    np.savez("a.npz", x=FLOATS)
    data = Path("a.npz").read_bytes()
    Path("a.npz").write_bytes(data[: max(0, len(data) - cut - 1)])
    assert refusal(NPZ(path=Path("a.npz")).columns).startswith("path: a.npz: ")


@pytest.mark.parametrize("save", ["npy", "savez", "packed"])
def test_damage_anywhere(save: str) -> None:
    """Refused as data, or read: nothing else comes of a damaged file."""
    source = source_of({"x": FLOATS}, save)
    path = Path("x.npy" if save == "npy" else "a.npz")
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    refused = 0
    for _ in range(400):
        content = bytearray(whole)
        for place in rng.integers(0, len(content), 2):
            content[place] = rng.integers(256)
        path.write_bytes(content)
        try:
            if "x" in source.columns():
                source.read(["x"])
        except DataError:
            refused += 1
    assert refused > 50


def test_a_mapped_array_is_the_one_that_was_written(refusal: Refusal) -> None:
    """A changed number is found, though a map of the file would never compare check sums."""
    np.savez("a.npz", x=FLOATS)
    raw = bytearray(Path("a.npz").read_bytes())
    raw[raw.index(FLOATS.tobytes()) + 9] ^= 1
    Path("a.npz").write_bytes(raw)
    assert "Bad CRC-32 for file 'x.npy'" in refusal(lambda: NPZ(path=Path("a.npz")).read(["x"]))


def test_bytes_behind_an_array(refusal: Refusal) -> None:
    reason = "it goes on behind its array: its header speaks of 20 bytes, shape (5,), and there are 24"
    content = header("(5,)") + bytes(24)
    Path("x.npy").write_bytes(content)
    assert refusal(NPY(files={"x": Path("x.npy")}).columns).endswith(reason)
    Path("a.npz").write_bytes(packed(content))
    assert refusal(NPZ(path=Path("a.npz")).columns).endswith(reason)


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (("x.npy", "x.npy"), "it has two members called 'x.npy'"),
        (("../x.npy",), "its member '../x.npy' is called as what lies outside of it"),
        (("a/../../x.npy",), "its member 'a/../../x.npy' is called as what lies outside of it"),
        (("..\\x.npy",), r"its member '..\\x.npy' is called as what lies outside of it"),
        (("/x.npy",), "its member '/x.npy' is called as what lies outside of it"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_an_archive_cannot_have(names: tuple[str, ...], reason: str, refusal: Refusal) -> None:
    with zipfile.ZipFile("a.npz", "w") as archive:
        for name in names:
            archive.writestr(name, header("(1,)") + bytes(4))
    assert refusal(NPZ(path=Path("a.npz")).columns) == f"path: a.npz: {reason}"


def test_a_bomb_is_not_unpacked(refusal: Refusal) -> None:
    zeros = np.zeros((1 << 21,), np.float32)
    np.savez_compressed("a.npz", x=zeros)
    source = NPZ(path=Path("a.npz"))
    tracemalloc.start()
    try:
        assert "'x.npy' unpacks to more than 800 times its size, as no real data do; where it is" in refusal(
            source.columns
        )
        assert tracemalloc.get_traced_memory()[1] < 2e6
    finally:
        tracemalloc.stop()
    np.savez("a.npz", x=zeros)
    assert len(source.read(["x"])["x"]) == len(zeros)


def test_a_wrong_number_is_shown_where_the_config_names_the_source() -> None:
    np.savez("a.npz", x=np.where(PIXELS == 7, np.inf, PIXELS), y=LABELS % 2)
    Path("c.yaml").write_text(CONFIG % "x", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        Rows(load("c.yaml"))
    assert [item.headline for item in caught.value.diagnostics] == [
        "c.yaml:2:11: error: data.source: column 'x': inf is not a finite number (row 2)"
    ]


def test_encrypted_and_foreign_members(refusal: Refusal) -> None:
    raw = bytearray(packed(header("(1,)") + bytes(4)))
    raw[6] |= 1
    raw[raw.index(b"PK\1\2") + 8] |= 1
    Path("a.npz").write_bytes(raw)
    assert "encrypted" in refusal(NPZ(path=Path("a.npz")).columns)
    Path("a.npz").write_bytes(packed(b"words", name="read.me"))
    assert NPZ(path=Path("a.npz")).columns() == {}


def test_files_that_are_none(refusal: Refusal) -> None:
    os.mkfifo("pipe")
    for path, reason in {
        "pipe": "is not a regular file",
        "no": "no such file",
        ".": "is a directory, not a file",
    }.items():
        assert refusal(NPZ(path=Path(path)).columns) == f"path: {path}: {reason}"
        assert refusal(NPY(files={"x": Path(path)}).columns) == f"files.x: {path}: {reason}"


@pytest.mark.parametrize("save", ["npy", "savez", "packed"])
def test_no_rows(save: str, refusal: Refusal) -> None:
    source = source_of({"x": np.zeros((0, 3))}, save)
    assert "column 'x' has no rows" in refusal(lambda: source.read(["x"]))


LARGE = """\
dtype: %s
data:
  source: {type: NPY, files: {x: x.npy, y: y.npy}}
  inputs: x
  targets: y
model: [Flatten, {type: Linear, out_features: 2}]
loss: CrossEntropyLoss
optimizer: SGD
loop: {epochs: 1, batch_size: 32}
"""


@pytest.mark.parametrize("kind", ["float32", "uint8", "float64"])
def test_a_mapped_file_is_not_copied(kind: str) -> None:
    """Rows are gathered from the file: the whole of it never takes memory of the process's own."""
    np.save("x.npy", np.zeros((4000, 100, 100), kind))
    np.save("y.npy", np.arange(4000) % 2)
    for dtype in ("float32", "float64"):
        Path("c.yaml").write_text(LARGE % dtype, encoding="utf-8")
        experiment = load("c.yaml")
        tracemalloc.start()
        try:
            rows = Rows(experiment)
            assert tracemalloc.get_traced_memory()[1] < 6e6  # the file: 40 MB of bytes, 160 or 320 of floats
        finally:
            tracemalloc.stop()
        assert (4000, 100, 100) in {array.shape for array in rows.arrays()}


class Unreadable(io.BytesIO):
    """A file on a disk that fails."""

    def read(self, size: int | None = -1, /) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_disk_that_fails_is_not_an_archive_that_is_damaged() -> None:
    with pytest.raises(OSError, match="Input/output error"):
        archive_of(Unreadable(bytes(100)))
    with pytest.raises(zipfile.BadZipFile):
        archive_of(io.BytesIO(bytes(100)))
