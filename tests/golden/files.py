"""The golden files: what PyTorch computes for every case, one `.npz` a family, one record a case.

A record is an array without dimensions whose fields are arrays: the material (`inputs.0`, `state.weight`,
`grad_output`) and the results (`float32.train.output`, `float64.eval.buffers.running_mean`; what evaluation
gives only where it differs from training). Field names are those of `components.harness`.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from components.cases.case import Subject
from components.harness import Material, Results
from declnet.core.spec import Array, DType

FOLDER = Path(__file__).parent
COMMAND = "PYTHONPATH=.:tests python -m golden.make"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date a zip can hold: the bytes don't depend on the day

DIGEST = "sha256 of the cases"


def path(family: str) -> Path:
    """Where a family's file is."""
    return FOLDER / f"{family}.npz"


def digest(subjects: Iterable[Subject]) -> str:
    """A fingerprint of all that the numbers follow from."""
    table = [(subject.name, subject.cases, subject.ranges) for subject in subjects]
    return hashlib.sha256(repr(table).encode()).hexdigest()


def pack(flat: Mapping[str, Array]) -> Array:
    """Arrays by name as one record."""
    record = np.zeros((), [(name, array.dtype, array.shape) for name, array in flat.items()])
    for name, array in flat.items():
        record[name] = array
    return record


def unpack(record: Array) -> dict[str, Array]:
    """A record's arrays by name."""
    return {name: record[name] for name in record.dtype.names or ()}


def write(family: str, subjects: Iterable[Subject], records: Mapping[str, Array]) -> None:
    """Write a family's file: the same numbers give the same bytes."""
    arrays = {DIGEST: np.array(digest(subjects))} | dict(records)
    with zipfile.ZipFile(path(family), "w") as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w") as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def read(family: str) -> dict[str, Array]:
    """All entries of a family's file."""
    with np.load(path(family), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def material(record: Array) -> Material:
    """What both sides start from."""
    return Material.of(unpack(record))


def results(record: Array, dtype: DType, *, training: bool) -> Results:
    """What PyTorch gave."""
    arrays = unpack(record)
    prefixes = (f"{dtype}.train.", f"{dtype}.eval.")
    train, evaluation = ({n.removeprefix(p): a for n, a in arrays.items() if n.startswith(p)} for p in prefixes)
    if training:
        return train
    return {n: a for n, a in (train | evaluation).items() if not n.startswith(("grad_inputs.", "grads."))}
