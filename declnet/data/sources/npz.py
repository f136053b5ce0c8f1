"""NPZ and NPY: arrays as NumPy saves them."""

from __future__ import annotations

import errno
import struct
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import IO, Annotated, Literal, final

from pydantic import Field

from declnet.core.registry import sources
from declnet.core.source import Column, Source
from declnet.core.spec import Array
from declnet.data.files import CHUNK, DEFLATE, is_bomb, opened, printable, refusal
from declnet.data.npy import Header, Malformed, loaded, mapped, read_header, require_rows
from declnet.errors import Path as KeyPath

LOCAL = struct.Struct("<4s22xHH")
"""A zip member's own header: its signature, and how long the name and the extra field are that follow it."""

OUTSIDE = errno.EINVAL
"""How the system refuses to go to a place before a file's start, where an archive speaks of one."""

MOST = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: DEFLATE}
"""What a byte in the file can stand for, by the two ways in which NumPy writes."""

SPARSE = 800
"""More than so many times their packed size no real arrays unpack to: thousands of one-hot doubles come to 750."""


@sources.register
@final
class NPZ(Source):
    """The arrays of an .npz file, as np.savez and np.savez_compressed write it; their first dimension is the rows.

    An array that np.savez wrote is mapped into memory once its check sum is found right: then only the rows that a
    batch takes are read, so it may be larger than the memory. A compressed one is read whole. Objects are never
    unpickled.

    Shape:
        each column: an array's name, and its shape without the first dimension. Integers stay integers (class
            indices, tokens), but bytes of more than one a row are pixels: numbers, not scaled. `dtype: float`
            or `dtype: int64` at a data field says otherwise.

    Parameters:
        path: the file; a relative path starts at the config's folder.

    Raises:
        DataError: the file can't be opened, is damaged or holds less than its headers say, the arrays that the
            config names differ in rows, or a number is not finite.

    Reference: https://numpy.org/doc/stable/reference/generated/numpy.savez.html
    """

    type: Literal["NPZ"] = "NPZ"
    path: Path

    def columns(self) -> dict[str, Column]:
        """The arrays by name, from their headers."""
        with opened(self.path) as file, archive_in(self.path, file) as archive:
            return {name: header_of(archive, info)[0].column for name, info in members(archive).items()}

    def read(self, columns: Sequence[str]) -> dict[str, Array]:
        """These arrays, mapped where they can be."""
        arrays: dict[str, Array] = {}
        with opened(self.path) as file, archive_in(self.path, file) as archive:
            known = members(archive)
            for name in columns:
                header, start = header_of(archive, known[name])
                if start is not None and header.nbytes:
                    _require_sum(archive, known[name])
                    arrays[name] = mapped(file, header, start)
                else:
                    arrays[name] = unpacked_array(archive, known[name], header)
        require_rows(printable(str(self.path)), {name: len(array) for name, array in arrays.items()})
        return arrays


def header_of(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> tuple[Header, int | None]:
    """A member's header, and where in the file it begins if it is stored as it is."""
    if info.compress_type not in MOST:
        raise Malformed(f"{info.filename!r} is packed as NumPy never does; write it with np.savez_compressed")
    if info.file_size > MOST[info.compress_type] * info.compress_size:
        raise Malformed(
            f"{info.filename!r} is said to unpack to {info.file_size:,} bytes, more than its packed ones can "
            "stand for"
        )
    if is_bomb(info.file_size, info.compress_size, SPARSE):
        raise Malformed(
            f"{info.filename!r} unpacks to more than {SPARSE} times its size, as no real data do; where it is "
            "meant so, save it with np.savez, and it is not unpacked but mapped"
        )
    try:
        with archive.open(info) as member:
            header = read_header(member, info.file_size)
    except Malformed as error:
        raise Malformed(f"{info.filename!r} is not an .npy file, or damaged: {error}") from None
    if info.compress_type != zipfile.ZIP_STORED or archive.fp is None:
        return header, None
    archive.fp.seek(info.header_offset)
    _, name, extra = LOCAL.unpack(archive.fp.read(LOCAL.size))
    return header, info.header_offset + LOCAL.size + name + extra


def unpacked_array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, header: Header) -> Array:
    """A member's array, read into memory."""
    with archive.open(info) as member:
        member.read(header.size)
        return loaded(member, header)


def _require_sum(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
    """Read a member to its end, where its check sum is compared: a map of it would never be."""
    with archive.open(info) as member:
        while member.read(CHUNK):
            pass


def members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The arrays of an archive by name."""
    files: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        name = info.filename
        if name in files:
            raise Malformed(f"it has two members called {name!r}")
        if name.startswith("/") or ".." in name.replace("\\", "/").split("/"):
            raise Malformed(f"its member {name!r} is called as what lies outside of it")
        files[name] = info
    return {name.removesuffix(".npy"): info for name, info in files.items() if name.endswith(".npy")}


def archive_of(file: IO[bytes]) -> zipfile.ZipFile:
    """The archive in an open file. What the machine says against reading it stays an OSError, which zipfile takes
    for a file that is no archive.
    """
    try:
        return zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        reason = error.__context__
        if isinstance(reason, OSError) and reason.errno != OUTSIDE:
            raise reason from None
        raise


@contextmanager
def archive_in(path: Path, file: BufferedReader) -> Iterator[zipfile.ZipFile]:
    """The open archive; what is wrong with it becomes a DataError."""
    try:
        with archive_of(file) as archive:
            yield archive
    except Malformed as error:
        raise refusal(path, str(error)) from None
    except OSError as error:
        if error.errno != OUTSIDE:
            raise
        raise refusal(path, "is damaged: it speaks of places before its start") from None
    except (zipfile.BadZipFile, struct.error, NotImplementedError, RuntimeError, ValueError) as error:
        raise refusal(path, f"is not an .npz file, or damaged: {error}") from None


@sources.register
@final
class NPY(Source):
    """Arrays in .npy files, as np.save writes them, one a column; their first dimension is the rows.

    The files are mapped into memory: only the rows that a batch takes are read, so they may be larger than the
    memory. Objects are never unpickled.

    Shape:
        each column: the name given to the file, and the array's shape without the first dimension. Integers stay
            integers (class indices, tokens), but bytes of more than one a row are pixels: numbers, not scaled.
            `dtype: float` or `dtype: int64` at a data field says otherwise.

    Parameters:
        files: a path for each column, {x: images.npy, y: labels.npy}; relative ones start at the config's folder.

    Raises:
        DataError: a file can't be opened, is damaged or holds less than its header says, those that the config
            names differ in rows, or a number is not finite.

    Reference: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
    """

    type: Literal["NPY"] = "NPY"
    files: Annotated[dict[str, Path], Field(min_length=1)]

    def columns(self) -> dict[str, Column]:
        """The files by the names given to them, from their headers."""
        columns = {}
        for name, path in self.files.items():
            with _array(path, ("files", name)) as (_, header):
                columns[name] = header.column
        return columns

    def read(self, columns: Sequence[str]) -> dict[str, Array]:
        """These files, mapped."""
        arrays: dict[str, Array] = {}
        for name in columns:
            with _array(self.files[name], ("files", name)) as (file, header):
                file.seek(header.size)
                arrays[name] = mapped(file, header, 0) if header.nbytes else loaded(file, header)
        require_rows(self.type, {name: len(array) for name, array in arrays.items()})
        return arrays


@contextmanager
def _array(path: Path, key: KeyPath) -> Iterator[tuple[BufferedReader, Header]]:
    """The open file and its header; what is wrong with it becomes a DataError."""
    with opened(path, key) as file:
        try:
            yield file, read_header(file, path.stat().st_size)
        except Malformed as error:
            raise refusal(path, f"is not an .npy file, or damaged: {error}", key) from None
