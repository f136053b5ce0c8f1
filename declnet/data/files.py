"""Opening a source's files: only regular ones, what goes wrong is a DataError at the key that names it."""

from __future__ import annotations

import errno
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from declnet.core.spec import Array
from declnet.errors import DataError, Diagnostic, MachineError
from declnet.errors import Path as KeyPath

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

GZIP = b"\x1f\x8b"
"""How every gzip stream begins."""

DEFLATE = 1032
"""Deflate makes nothing smaller than to one part in so many: zlib's own statement, https://zlib.net/zlib_tech.html"""

BOMB = 500
"""More than so many times their packed size no real texts unpack to: thousands of one-hot cells come to 400."""

SMALL = 1 << 20
"""Bytes that anything may unpack to."""

SIP = 1 << 10
"""Bytes of a packed file that are unpacked at a time, so that a bomb is met before it is in memory."""

CHUNK = 1 << 20
"""Bytes read at a time into an array that is there already."""


@contextmanager
def opened(path: Path, key: KeyPath = ("path",)) -> Iterator[BufferedReader]:
    """The open file; what the machine says against opening or reading it becomes a DataError, but for too many open
    files, which are no mistake of this one.
    """
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):  # opening a FIFO would wait for its writer
            what = "a directory, not a file" if stat.S_ISDIR(mode) else "not a regular file"
            raise refusal(path, f"is {what}", key)
        file = path.open("rb")
    except FileNotFoundError:
        raise refusal(path, "no such file", key) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL or half a character in the path
        require_files(path, error)
        raise refusal(path, f"cannot be read: {_reason(error)}", key) from None
    with file:
        try:
            yield file
        except OSError as error:
            require_files(path, error)
            raise refusal(path, f"cannot be read: {_reason(error)}", key) from None
        except (EOFError, zlib.error) as error:
            raise refusal(path, f"is damaged: {error}", key) from None


@contextmanager
def unpacked(path: Path, key: KeyPath = ("path",)) -> Iterator[IO[bytes]]:
    """The open file, and where it is gzipped what is in it: by its first bytes, whatever its name says."""
    with opened(path, key) as file:
        if file.peek(len(GZIP))[: len(GZIP)] == GZIP:
            with BufferedReader(_Unpacking(path, key, file), CHUNK) as inner:
                yield inner
        else:
            yield file


class _Unpacking(RawIOBase):
    """What is in a gzipped file, of one member or several; a DataError where that turns out to be a bomb."""

    def __init__(self, path: Path, key: KeyPath, file: BufferedReader) -> None:
        self._path, self._key, self._file = path, key, file
        self._taken = self._given = 0
        self._packed = b""
        self._inner = zlib.decompressobj(zlib.MAX_WBITS | 16)  # checks header, sum and length, as gzip has them

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Unpack some bytes; none at the end."""
        view = memoryview(buffer)
        while True:
            if not self._packed:
                self._packed = self._file.read(SIP)
                self._taken += len(self._packed)
            if self._inner.eof:
                self._packed = self._packed.lstrip(b"\0")  # padding, as on tapes
                if not self._packed and not self._file.peek(1):
                    return 0
                self._inner = zlib.decompressobj(zlib.MAX_WBITS | 16) if self._packed else self._inner
                continue
            if not self._packed:
                raise EOFError("it ends before what is packed in it does")
            if data := self._some(len(view)):
                view[: len(data)] = data
                return len(data)

    def _some(self, most: int) -> bytes:
        """Unpack what there is, up to so many bytes."""
        data = self._inner.decompress(self._packed, most)
        self._packed = self._inner.unused_data if self._inner.eof else self._inner.unconsumed_tail
        self._given += len(data)
        if is_bomb(self._given, self._taken):
            what = f"unpacks to more than {BOMB} times its size, as no real data do; unpack it where it is meant so"
            raise refusal(self._path, what, self._key)
        return data

    def readable(self) -> bool:
        """It is for reading alone."""
        return True

    def fileno(self) -> int:
        """The packed file's."""
        return self._file.fileno()


def is_bomb(unpacked: int, packed: int, most: int = BOMB) -> bool:
    """Whether so few bytes unpack to so many as only those of a bomb do."""
    return unpacked > max(SMALL, most * packed)


def at_most(file: IO[bytes]) -> int:
    """How many bytes can come of an open file: as many as there are, or as gzip can have packed into them."""
    packed = isinstance(file, BufferedReader) and isinstance(file.raw, _Unpacking)
    return os.fstat(file.fileno()).st_size * (DEFLATE if packed else 1)


def require_files(path: Path | str, error: BaseException) -> None:
    """MachineError where a file could not be opened because too many are open, which is no mistake of this one."""
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        raise MachineError(f"{path}: cannot be read: {_reason(error)}") from None


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def refusal(path: Path, reason: str, key: KeyPath = ("path",)) -> DataError:
    """What is wrong with a file, to be raised."""
    return DataError(Diagnostic(f"{printable(str(path))}: {reason}", key))


def first_line(error: Exception) -> str:
    """What an error says, as far as it fits a message; its name where it says nothing."""
    return (str(error) or type(error).__name__).splitlines()[0]


def printable(text: str) -> str:
    """The text, character for character, without what would send codes to a terminal."""
    return "".join(char if char.isprintable() or char == "\t" else "\ufffd" for char in text)


def quote(text: str) -> str:
    """The text as a message quotes it."""
    return repr(text if len(text) <= 40 else text[:39] + "…")


def fill(file: IO[bytes], array: Array) -> int:
    """Read into the memory of a C-contiguous array until it is full or the file ends; how many bytes came."""
    memory = array.reshape(-1).view(np.uint8)
    done = 0
    while chunk := file.read(min(CHUNK, len(memory) - done)):
        memory[done : done + len(chunk)] = np.frombuffer(chunk, np.uint8)
        done += len(chunk)
    return done
