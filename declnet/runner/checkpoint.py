"""Checkpoints: NumPy's `.npz`, readable anywhere, written atomically, the same bits for the same run.

Members are `model/<state_dict name>`, `optimizer/<group>/<state name>`, `scheduler/<state name>` where the
scheduler has a state, and `meta`, a JSON text.
"""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from tokenize import TokenError
from typing import IO

import numpy as np

from declnet.core.spec import Array
from declnet.errors import CheckpointError
from declnet.runner.files import machine, replacing

FORMAT = 1
"""Version of the layout; a reader refuses a newer one."""

DAMAGE = (
    ValueError,  # NumPy: a header or a pickle; JSON; UTF-8
    KeyError,  # no meta
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    SyntaxError,  # NumPy parses headers as Python literals
    TokenError,  # as those of Python 2, where they are none
    TypeError,
    NotImplementedError,  # a compression nobody uses
    RuntimeError,  # an encrypted member
    OverflowError,
)
"""What reading an archive can raise where its bytes are not what was written."""

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
            with path.open("rb") as file, zipfile.ZipFile(file) as archive:
                arrays = {_name(member): _array(archive, member) for member in archive.namelist()}
            text = str(arrays.pop("meta"))
        except FileNotFoundError:
            raise CheckpointError(f"{path}: no such checkpoint") from None
        except DAMAGE as error:
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


def _name(member: str) -> str:
    return member.removesuffix(".npy")


def _array(archive: zipfile.ZipFile, member: str) -> Array:
    with archive.open(member) as file:
        array: Array = np.lib.format.read_array(file, allow_pickle=False)
    return array


def part(arrays: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    """The members under a prefix, without it."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
