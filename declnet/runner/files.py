"""Writing so that a file is there whole or not at all, and refusals of the machine in words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from declnet.errors import MachineError


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


def sync_folder(folder: Path) -> None:
    """Make a rename or a new entry in a folder last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
