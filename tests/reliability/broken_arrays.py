"""Arrays, archives and other numbers that no source reads, by the names that the tables of broken inputs have."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from reliability.broken_files import MAKERS, MEBIBYTE, Maker, gzip_of, lines, maker, zip_of

ROWS = 20


def header(shape: str, descr: str = "'<f4'", version: bytes = b"\1\0", order: str = "False") -> bytes:
    """An array's header as NumPy writes it, whatever it says."""
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}}}".encode().ljust(117) + b"\n"
    size = 2 if version == b"\1\0" else 4
    return b"\x93NUMPY" + version + len(text).to_bytes(size, "little") + text


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


X, Y = np.arange(4.0 * ROWS).reshape(ROWS, 4) / ROWS, np.arange(ROWS) % 2
GOOD = {"x.npy": npy(X), "y.npy": npy(Y)}


def npz(how: int = zipfile.ZIP_STORED, **arrays: Any) -> Maker:
    """a.npz of x and y, with some of them changed, or written by themselves where they are bytes."""
    members = {f"{name}.npy": value if isinstance(value, bytes) else npy(value) for name, value in arrays.items()}
    return lambda folder: zip_of(folder / "a.npz", GOOD | members, how)


def changed(change: Callable[[bytearray], object], how: int = zipfile.ZIP_STORED) -> Maker:
    """a.npz with some of its bytes changed."""

    def make(folder: Path) -> None:
        npz(how)(folder)
        content = bytearray((folder / "a.npz").read_bytes())
        change(content)
        (folder / "a.npz").write_bytes(content)

    return make


def encrypted(content: bytearray) -> None:
    """Set the flag in both headers of the first member."""
    content[6] |= 1
    content[content.index(b"PK\1\2") + 8] |= 1


def lying(content: bytearray) -> None:
    """Say of the first member that it unpacks to 4 GB."""
    struct.pack_into("<I", content, content.index(b"PK\1\2") + 24, 0xFFFFFFF0)


def flipped(content: bytearray) -> None:
    """Flip a bit of the first array's numbers."""
    content[content.index(b"PK\3\4", 10) - 5] ^= 1


def with_members(*names: str) -> Maker:
    """a.npz with more members, of any name."""

    def make(folder: Path) -> None:
        npz()(folder)
        with zipfile.ZipFile(folder / "a.npz", "a") as archive:
            for name in names:
                archive.writestr(zipfile.ZipInfo(name), npy(Y))

    return make


class Code:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch ran",)


@maker
def packed_twice(folder: Path) -> None:
    """A duplicate member: the second one would be read."""
    npz()(folder)
    with warnings.catch_warnings(), zipfile.ZipFile(folder / "a.npz", "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr(zipfile.ZipInfo("x.npy"), npy(X + 1))


ENDLESS = "(1000000000000000,)"
with_nan, with_infinity = X.copy(), X.copy()
with_nan[7, 2], with_infinity[0, 0] = np.nan, np.inf

MAKERS |= {
    "npz_empty": lambda folder: (folder / "a.npz").write_bytes(b""),
    "npz_text": lines("a.npz", "x, y\n"),
    "npz_one_array": lambda folder: (folder / "a.npz").write_bytes(npy(X)),
    "npz_no_arrays": lambda folder: zip_of(folder / "a.npz", {"read.me": b"words"}),
    "npz_no_members": lambda folder: zip_of(folder / "a.npz", {}),
    "npz_cut": changed(lambda content: content.__delitem__(slice(len(content) // 2, None))),
    "npz_cut_at_start": changed(lambda content: content.__delitem__(slice(0, 40))),
    "npz_flipped": changed(flipped),
    "npz_flipped_packed": changed(lambda content: content.__setitem__(200, content[200] ^ 1), zipfile.ZIP_DEFLATED),
    "npz_encrypted": changed(encrypted),
    "npz_lying": changed(lying, zipfile.ZIP_DEFLATED),
    "npz_lzma": npz(zipfile.ZIP_LZMA),
    "npz_bzip2": npz(zipfile.ZIP_BZIP2),
    "npz_objects": npz(x=np.array([Code()] * ROWS)),
    "npz_pickle": npz(x=b"\x80\x04K\x01."),
    "npz_strings": npz(y=np.array(["a", "b"] * (ROWS // 2))),
    "npz_bytes": npz(y=np.array([b"a", b"b"] * (ROWS // 2))),
    "npz_complex": npz(x=X + 1j),
    "npz_dates": npz(x=np.arange(ROWS).astype("M8[D]")),
    "npz_spans": npz(x=np.arange(ROWS).astype("m8[s]")),
    "npz_records": npz(x=np.zeros(ROWS, [("a", "f4"), ("b", "i4")])),
    "npz_scalar": npz(x=np.array(5.0)),
    "npz_nothing": npz(x=np.zeros((ROWS, 0))),
    "npz_no_rows": npz(x=np.zeros((0, 4)), y=np.zeros(0, int)),
    "npz_fewer": npz(y=Y[:-1]),
    "npz_nan": npz(x=with_nan),
    "npz_infinity": npz(x=with_infinity),
    "npz_large": npz(x=X * 1e300),
    "npz_class_2": npz(y=np.arange(ROWS) % 3),
    "npz_class_below_0": npz(y=Y - 1),
    "npz_class_fraction": npz(y=Y / 2),
    "npz_uint64": npz(y=Y.astype(np.uint64) + np.uint64(2**63)),
    "npz_short": npz(x=X[:1], y=Y[:1]),
    "npz_long_double": npz(x=X.astype(np.longdouble)),
    "npz_endless": npz(x=header(ENDLESS) + bytes(8)),
    "npz_endless_rows": npz(x=header("(20, 1000000000000000)") + bytes(8)),
    "npz_overflow": npz(x=header("(4611686018427387904, 4)") + bytes(8)),
    "npz_negative": npz(x=header("(-20, 4)") + bytes(320)),
    "npz_shape_text": npz(x=header("'20'") + bytes(320)),
    "npz_shape_float": npz(x=header("(20.0, 4)") + bytes(320)),
    "npz_code": npz(x=header("(20, 4)", "__import__('os').system('touch ran')") + bytes(320)),
    "npz_dtype": npz(x=header("(20, 4)", "'<q99'") + bytes(320)),
    "npz_version_3": npz(x=header("(20, 4)", version=b"\3\0") + bytes(320)),
    "npz_version_9": npz(x=header("(20, 4)", version=b"\x09\0") + bytes(320)),
    "npz_long_header": npz(x=b"\x93NUMPY\2\0" + b"\xff\xff\xff\x7f" + b" " * 4096),
    "npz_nested_header": npz(x=header("(" + "(" * 200 + ")" * 200 + ")") + bytes(320)),
    "npz_half_header": npz(x=header("(20, 4)")[:60]),
    "npz_array_cut": npz(x=npy(X)[:-8]),
    "npz_array_and_more": npz(x=npy(X) + bytes(8)),
    "npz_order": npz(x=header("(20, 4)", order="'yes'") + bytes(320)),
    "npz_twice": packed_twice,
    "npz_upwards": with_members("../../x.npy"),
    "npz_absolute": with_members("/etc/x.npy"),
    "npz_backwards": with_members("..\\x.npy"),
    "npz_bomb": lambda folder: packed_zeros(folder / "a.npz", 1 << 30),
    "npz_many": with_members(*(f"m{number}.npy" for number in range(5000))),
}


def packed_zeros(path: Path, size: int) -> None:
    """An honest array of zeros, packed to a thousandth."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("y.npy", npy(Y))
        with archive.open("x.npy", "w", force_zip64=True) as member:
            member.write(header(f"({size // 4},)"))
            for _ in range(size // MEBIBYTE):
                member.write(bytes(MEBIBYTE))


def idx(shape: tuple[int, ...], content: bytes, kind: int = 8) -> bytes:
    return struct.pack(f">HBB{len(shape)}I", 0, kind, len(shape), *shape) + content


IMAGES, LABELS = idx((ROWS, 2, 2), bytes(range(4 * ROWS))), idx((ROWS,), bytes(Y.astype("u1")))


def images(content: bytes = IMAGES, labels: bytes = LABELS) -> Maker:
    def make(folder: Path) -> None:
        (folder / "i.idx").write_bytes(content)
        (folder / "l.idx").write_bytes(labels)

    return make


MAKERS |= {
    "idx_empty": images(b""),
    "idx_none": images(b"\1\2\3\4" + IMAGES[4:]),
    "idx_kind": images(idx((ROWS, 2, 2), bytes(4 * ROWS), 7)),
    "idx_header_cut": images(IMAGES[:9]),
    "idx_cut": images(IMAGES[:-1]),
    "idx_and_more": images(IMAGES + b"\0"),
    "idx_endless": images(idx((2**32 - 1, 2**32 - 1, 2**32 - 1), b"")),
    "idx_nothing": images(idx((0, 2, 2), b"")),
    "idx_fewer": images(labels=idx((ROWS - 1,), bytes(ROWS - 1))),
    "idx_class_9": images(labels=idx((ROWS,), bytes([9] * ROWS))),
    "idx_gzip_cut": images(gzip.compress(IMAGES)[:-9]),
    "idx_bomb": lambda folder: (
        images(labels=idx((1 << 20,), bytes(1 << 20)))(folder),
        gzip_of(folder / "i.idx", idx((1 << 20, 32, 32), b""), bytes(MEBIBYTE), 1 << 10),
    ),
    "weights_pickle": lambda folder: (folder / "w.npz").write_bytes(pickle.dumps(Code())),
    "text_short": lines("t.txt", "to be"),
    "text_many": lines("t.txt", "to be, or not to be: that is the question\n" * 9),
    "text_latin_1": lambda folder: (folder / "t.txt").write_bytes("to be\nor not to bé".encode("latin-1") * 9),
    "text_bomb": lambda folder: gzip_of(folder / "t.txt", b"to be ", b"a" * MEBIBYTE, 1024),
}
