"""Fuzzing led by what code an input reaches: `PYTHONPATH=.:tests python -m reliability.guided KIND SECONDS`.

Needs atheris (`pip install atheris`, where there is one for the Python at hand); the suite does without. KIND is
configs, tables, archives or checkpoints. It ends, with the bytes that did it, at the first exception that is no
refusal, at what takes more than 5 seconds, and at more than 256 MB above where it began.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import atheris
import numpy as np

with atheris.instrument_imports(include=["declnet", "yaml"]):
    from declnet.config import yaml
    from declnet.data.sources.csv import CSV
    from declnet.data.sources.npz import NPZ
    from declnet.errors import DeclnetError
    from declnet.runner import checkpoint, position

from app.tiny import CONFIG
from reliability.broken_arrays import npz

FILE: Final = Path(tempfile.mkdtemp()) / "file"


def start_of_table() -> bytes:
    return b"a,b\n1,2\n3,4\n"


def start_of_archive() -> bytes:
    npz()(FILE.parent)
    return (FILE.parent / "a.npz").read_bytes()


def start_of_checkpoint() -> bytes:
    checkpoint.save(FILE, {"model/0.weight": np.ones((3, 2), np.float32)}, position.Position().model_dump())
    return FILE.read_bytes()


def archive(path: Path) -> None:
    source = NPZ(path=path)
    source.read(list(source.columns()))


KINDS: Final[Mapping[str, tuple[Callable[[], bytes], Callable[[Path], object]]]] = {
    "configs": (CONFIG.encode, yaml.load),
    "tables": (start_of_table, lambda path: CSV(path=path).read(["a", "b"])),
    "archives": (start_of_archive, archive),
    "checkpoints": (start_of_checkpoint, position.load),
}
"""What is right, to begin with, and what reads it."""


def main(kind: str, seconds: str) -> None:
    begin, read = KINDS[kind]
    corpus = FILE.parent / "corpus"
    corpus.mkdir()
    (corpus / "right").write_bytes(begin())

    def one(data: bytes) -> None:
        FILE.write_bytes(data)
        with suppress(DeclnetError):
            read(FILE)

    with Path("/proc/self/statm").open(encoding="ascii") as file:
        here = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20
    limits = [f"-max_total_time={seconds}", "-timeout=5", f"-rss_limit_mb={here + 256}", "-max_len=8192"]
    atheris.Setup([sys.argv[0], str(corpus), *limits], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
