"""Writing so that a file is there whole or not at all, and refusals of the machine in words."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from declnet.errors import CheckpointError, MachineError


@contextmanager
def machine(doing: str) -> Iterator[None]:
    """Turn what the operating system refuses into a `MachineError` that says what was being done."""
    try:
        yield
    except OSError as error:
        raise MachineError(f"cannot {doing}: {error.strerror or error}") from error
    except MemoryError as error:
        raise MachineError(f"cannot {doing}: not enough memory ({error})") from error


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Write a file beside `path` and put it in its place: file synced, renamed, folder synced."""
    temporary = path.with_name(f"{path.name}.tmp")
    with machine(f"write {path}"):
        try:
            with temporary.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def content(path: Path) -> bytes | None:
    """What is in a file of a run; None where there is no such file. CheckpointError where it is none."""
    with machine(f"read {path}"):
        if not path.exists():
            return None
        if not path.is_file():  # opening a FIFO would wait for its writer
            raise CheckpointError(f"{path}: damaged: this is not a file")
        return path.read_bytes()


UNLOCKABLE = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF, errno.EINVAL, errno.ENOSYS)
"""How file systems say that they know no locks, or none of folders (some network file systems)."""


def lock(folder: Path) -> int | None:
    """Lock a folder: the descriptor that holds the lock until it is closed, None where another process has it.

    The lock is the system's, on the folder itself: it leaves no file behind, and it goes with the process. Where
    the file system has none, nobody can tell who else is there, and the folder counts as free.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError as error:
        if error.errno not in UNLOCKABLE:
            os.close(descriptor)
            raise
    return descriptor


LOCKS = Path("/proc/locks")
"""Where Linux tells who has what locked; other systems do not."""


def holder(folder: Path) -> int | None:
    """The number of the process that has a folder locked; None where the system does not tell, the folder has gone,
    or nobody has it.
    """
    try:
        lines, found = LOCKS.read_text("ascii").splitlines(), folder.stat()
    except OSError:  # whoever asks was refused, and says so without a number
        return None
    place = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    for line in lines:  # 1: FLOCK  ADVISORY  WRITE 4711 fe:00:2523338 0 EOF
        fields = line.split()
        if fields[1] == "FLOCK" and fields[5] == place:
            return int(fields[4])
    return None


def make_folder(folder: Path) -> None:
    """Make a folder, and those that it lies in, where they are not there yet; what is new lasts."""
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in new:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename or a new entry in a folder last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
