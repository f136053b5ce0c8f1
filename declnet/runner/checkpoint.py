"""Checkpoints: NumPy's `.npz`, readable anywhere, written atomically, the same bits for the same run.

Members are `model/<state_dict name>`, `optimizer/<group>/<state name>`, `scheduler/<state name>` where the
scheduler has a state, and `meta`, a JSON text.
"""

from __future__ import annotations

import errno
import json
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np

from declnet.core.spec import Array
from declnet.data.npy import Malformed
from declnet.data.sources.npz import OUTSIDE, archive_of, header_of, members, unpacked_array
from declnet.errors import CheckpointError
from declnet.runner.files import machine, replacing

FORMAT = 1
"""Version of the layout; a reader refuses a newer one."""

DAMAGE = (
    Malformed,
    ValueError,  # a text that is none
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    NotImplementedError,  # a compression nobody uses
    RuntimeError,  # an encrypted member
    OverflowError,
)
"""What reading an archive can raise where its bytes are not what was written."""

KINDS = "fiubU"
"""NumPy's letters of the dtypes that a run writes: numbers, and texts for names and for `meta`."""

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The date every member carries, so that the same run writes the same bytes."""


def save(path: Path, arrays: Mapping[str, Array], about: Mapping[str, object]) -> None:
    """Write a checkpoint. MachineError where the disk refuses; the old one is then still there."""
    text = np.array(json.dumps({"format": FORMAT, **about}))
    with replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, array in {**arrays, "meta": text}.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy", EPOCH), "w", force_zip64=True) as member:
                _write(member, np.asarray(array, order="C"))


def _write(member: IO[bytes], array: Array) -> None:
    """Write as `np.save` does, but straight from the array's memory: NumPy would copy it first."""
    np.lib.format.write_array_header_1_0(member, np.lib.format.header_data_from_array_1_0(array))
    member.write(array.reshape(-1).view(np.uint8).data)


def load(path: Path) -> tuple[dict[str, Array], dict[str, object]]:
    """Read a checkpoint: its arrays and its meta. CheckpointError where it is damaged or newer."""
    with machine(f"read {path}"):
        try:
            if not stat.S_ISREG(path.stat().st_mode):  # opening a FIFO would wait for its writer
                raise Malformed("it is not a file")
            with path.open("rb") as file, archive_of(file) as archive:
                known = members(archive)
                if "meta" not in known or len(known) < len(archive.infolist()):
                    raise Malformed("its members are not those that a run writes")
                arrays = {name: _array(archive, member) for name, member in known.items()}
                text = str(arrays.pop("meta"))
        except FileNotFoundError:
            raise CheckpointError(f"{path}: no such checkpoint") from None
        except (*DAMAGE, OSError) as error:
            if isinstance(error, OSError) and error.errno not in (OUTSIDE, errno.ELOOP):
                raise
            what = str(error) or type(error).__name__
            raise CheckpointError(f"{path}: not a checkpoint of declnet, or damaged: {what}") from error
    return arrays, meta(path, text)


def meta(path: Path, text: str) -> dict[str, object]:
    """Read a checkpoint's meta. CheckpointError where it is none, or that of a newer format."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: not a checkpoint of declnet, or damaged: {error}") from error
    if not isinstance(found, dict) or type(found.get("format")) is not int:
        raise CheckpointError(f"{path}: not a checkpoint of declnet: it names no format")
    if found["format"] > FORMAT:
        raise CheckpointError(
            f"{path}: written by a newer declnet (format {found['format']}, this one reads up to {FORMAT}); upgrade"
        )
    return found


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Array:
    """A member's array, which takes no more memory than there are bytes in the file."""
    if member.compress_type != zipfile.ZIP_STORED:
        raise Malformed(f"{member.filename!r} is packed, and a run packs nothing")
    header, _ = header_of(archive, member)
    if header.dtype.kind not in KINDS:
        raise Malformed(f"{member.filename!r} holds neither numbers nor texts, but {header.dtype}")
    return unpacked_array(archive, member, header)


def part(arrays: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    """The members under a prefix, without it."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
