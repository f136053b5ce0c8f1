"""Opening a source's files: only regular ones, what goes wrong is a DataError at the key that names it."""

from __future__ import annotations

import gzip
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import IO

import numpy as np

from declnet.core.spec import Array
from declnet.errors import DataError, Diagnostic
from declnet.errors import Path as KeyPath

GZIP = b"\x1f\x8b"
"""How every gzip stream begins."""

DEFLATE = 1032
"""Deflate makes nothing smaller than to one part in so many: zlib's own statement, https://zlib.net/zlib_tech.html"""

CHUNK = 1 << 20
"""Bytes read at a time into an array that is there already."""


@contextmanager
def opened(path: Path, key: KeyPath = ("path",)) -> Iterator[BufferedReader]:
    """The open file; what the machine says against opening or reading it becomes a DataError."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):  # opening a FIFO would wait for its writer
            what = "a directory, not a file" if stat.S_ISDIR(mode) else "not a regular file"
            raise refusal(path, f"is {what}", key)
        file = path.open("rb")
    except FileNotFoundError:
        raise refusal(path, "no such file", key) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL or half a character in the path
        raise refusal(path, f"cannot be read: {_reason(error)}", key) from None
    with file:
        try:
            yield file
        except OSError as error:  # also gzip's, of a stream that is none or whose sum is wrong
            raise refusal(path, f"cannot be read: {_reason(error)}", key) from None
        except (EOFError, zlib.error) as error:
            raise refusal(path, f"is damaged: {error}", key) from None


@contextmanager
def unpacked(path: Path, key: KeyPath = ("path",)) -> Iterator[IO[bytes]]:
    """The open file, and where it is gzipped what is in it: by its first bytes, whatever its name says."""
    with opened(path, key) as file:
        if file.peek(len(GZIP))[: len(GZIP)] == GZIP:
            with gzip.GzipFile(fileobj=file, mode="rb") as inner:
                yield inner  # type: ignore[misc] # an IO[bytes] but by name
        else:
            yield file


def at_most(file: IO[bytes]) -> int:
    """How many bytes can come of an open file: as many as there are, or as gzip can have packed into them."""
    return os.fstat(file.fileno()).st_size * (DEFLATE if isinstance(file, gzip.GzipFile) else 1)


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
