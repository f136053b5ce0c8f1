"""Files of weights to start from: names and shapes from the header alone, then the arrays that are wanted.

A run's directory, a checkpoint, an `.npz` of PyTorch's state_dict names, or a `.safetensors` file: told apart by
what is in them. Nothing is unpickled.
"""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from typing import Final

import numpy as np

from declnet.core.spec import Array
from declnet.core.suggest import any_of
from declnet.data.extras import needed
from declnet.data.files import first_line, opened, printable, refusal
from declnet.data.npy import UNREADABLE
from declnet.data.sources.npz import archive_in, header_of, members, unpacked_array
from declnet.errors import CheckpointError, DataError, Diagnostic
from declnet.errors import Path as KeyPath
from declnet.records import record
from declnet.runner import checkpoint
from declnet.runner.directory import folds_of
from declnet.runner.files import machine

PLACE: Final[KeyPath] = ("init", "from")
"""Where a config names the file."""

SAFE = "safetensors.torch.save_file(model.state_dict(), 'weights.safetensors')"

PICKLE = b"\x80"
"""How pickles begin."""

ZIP = b"PK\x03\x04"
META = 1 << 26
"""Bytes of a checkpoint's meta at most: many times what a run writes."""

DTYPES: Final[Mapping[str, str]] = {
    "BF16": "uint16",  # the upper half of a float32
    **{f"{kind}{8 * size}": f"{code}{size}" for kind, code in (("I", "<i"), ("U", "<u")) for size in (1, 2, 4, 8)},
    **{f"F{8 * size}": f"<f{size}" for size in (2, 4, 8)},
    "BOOL": "bool",
}
"""safetensors' names of the dtypes that declnet reads, and NumPy's."""


@record
class Entry:
    """What a file's header says of an array. `kind` is NumPy's letter of its dtype: f, i, u, b, or one that holds
    no numbers; `member` where the file has it.
    """

    shape: tuple[int, ...]
    kind: str
    dtype: str
    member: str

    @property
    def refused(self) -> str:
        """Why a network cannot take it; nothing where it can."""
        other = f"is {self.dtype}, which declnet does not read"
        return "" if self.kind in "fiub" else UNREADABLE.get(self.kind, other)


@record
class Weights:
    """A file, and what it holds by the names in PyTorch's state_dict."""

    path: Path
    entries: Mapping[str, Entry]

    def read(self, names: Collection[str]) -> dict[str, Array]:
        """These arrays, as the file has them; bfloat16 as float32. CheckpointError where it is damaged."""
        with _file(self.path) as file, machine(f"read {self.path}"):
            wanted = {name: self.entries[name] for name in names}
            if _is_zip(file):
                with archive_in(self.path, file) as archive:
                    known = members(archive)
                    return {
                        name: unpacked_array(archive, info := known[entry.member], header_of(archive, info)[0])
                        for name, entry in wanted.items()
                    }
            return _tensors(self.path, file.read(), wanted)


def look(path: Path) -> Weights:
    """What a file holds, from its header; of a run's directory its best checkpoint.

    Raises:
        CheckpointError: the file is missing, damaged, a pickle, or none of weights.
        ConfigError: safetensors is not installed.
        MachineError: the machine refused to read it.
    """
    with machine(f"read {path}"):
        is_run = path.is_dir()
    if is_run:
        directory, path = path, path / "checkpoints" / "best.npz"
        if folds := folds_of(directory):
            names = any_of([printable(str(fold)) for fold in folds])
            raise _refused(f"{printable(str(directory))}: a cross-validation; name one of its folds, {names}")
        if not path.exists():
            raise _refused(
                f"{printable(str(directory))}: not a run's directory with a best checkpoint, checkpoints/best.npz"
            )
    with _file(path) as file, machine(f"read {path}"):
        if _is_zip(file):
            with archive_in(path, file) as archive:
                entries = _arrays(path, archive)
        elif (start := file.peek(9)[:9])[8:] == b"{":
            entries = _header(path)
        else:
            raise _unknown(path, pickled=start.startswith(PICKLE))
    if not entries:
        raise _refused(f"{printable(str(path))}: holds no arrays")
    return Weights(path, entries)


def _is_zip(file: BufferedReader) -> bool:
    return file.peek(len(ZIP))[: len(ZIP)] == ZIP


def _refused(message: str) -> CheckpointError:
    return CheckpointError(Diagnostic(message, PLACE))


def _unknown(path: Path, *, pickled: bool) -> CheckpointError:
    name = printable(str(path))
    if pickled:
        why = "a pickle, as torch.save writes it, can execute code and is not read"
        return _refused(f"{name}: {why}; save it with {SAFE}")
    return _refused(f"{name}: not a file of weights: that is a run's checkpoint, an .npz or a .safetensors file")


@contextmanager
def _file(path: Path) -> Iterator[BufferedReader]:
    """The open file; what is wrong with it is said at `init.from`."""
    try:
        with opened(path, PLACE) as file:
            yield file
    except (DataError, CheckpointError) as error:
        raise CheckpointError(*(replace(item, path=PLACE) for item in error.diagnostics)) from None


def _arrays(path: Path, archive: zipfile.ZipFile) -> dict[str, Entry]:
    """The arrays of an archive; of a checkpoint those of the model, averaged where the run averaged them."""
    known = members(archive)
    if any(name.endswith("data.pkl") for name in archive.namelist()):
        raise _unknown(path, pickled=True)
    entries = {}
    for name, info in known.items():
        header, _ = header_of(archive, info)
        entries[name] = Entry(header.shape, header.dtype.kind, str(header.dtype), name)
    if "meta" not in entries or not any(name.startswith("model/") for name in entries):
        return entries
    header, _ = header_of(archive, known["meta"])
    if header.dtype.kind != "U" or header.nbytes > META:
        raise _refused(f"{printable(str(path))}: not a checkpoint of declnet, or damaged: its meta is no text")
    checkpoint.meta(path, str(unpacked_array(archive, known["meta"], header)))
    own: dict[str, Entry] = {}
    for part in ("model/", "ema/"):
        own |= {name.removeprefix(part): entry for name, entry in entries.items() if name.startswith(part)}
    return own


def _header(path: Path) -> dict[str, Entry]:
    """The tensors of a .safetensors file."""
    with needed("a .safetensors file", "safetensors", "safetensors", PLACE):
        from safetensors import SafetensorError, safe_open
    entries = {}
    try:
        with safe_open(str(path), "np") as file:
            for name in sorted(file.keys()):
                part = file.get_slice(name)
                dtype = str(part.get_dtype())
                kind = "f" if dtype == "BF16" else np.dtype(DTYPES[dtype]).kind if dtype in DTYPES else "?"
                entries[name] = Entry(tuple(part.get_shape()), kind, dtype, name)
    except (SafetensorError, ValueError, TypeError) as error:
        raise refusal(path, f"is not a .safetensors file, or damaged: {first_line(error)}", PLACE) from None
    return entries


def _tensors(path: Path, data: bytes, wanted: Mapping[str, Entry]) -> dict[str, Array]:
    """Tensors of a .safetensors file that was looked at, by their bytes: NumPy has no bfloat16."""
    from safetensors import SafetensorError, deserialize

    try:
        found = dict(deserialize(data))  # type: ignore[no-untyped-call] # the package has no types for it
    except SafetensorError as error:
        raise refusal(path, f"is damaged: {first_line(error)}", PLACE) from None
    arrays: dict[str, Array] = {}
    for name, entry in wanted.items():
        values: Array = np.frombuffer(found[name]["data"], DTYPES[entry.dtype])
        if entry.dtype == "BF16":
            values = (values.astype(np.uint32) << 16).view(np.float32)
        arrays[name] = values.reshape(entry.shape)
    return arrays
