"""Reads changed checkpoints and archives one after another, and says what came of them: a program, so that its
memory is its own. Arguments: `checkpoint` or `archive`, the file, and a step: 1 for all of it, n for an nth part.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from declnet.core.spec import Array
from declnet.data.sources.npz import NPZ
from declnet.errors import CheckpointError, DataError, DeclnetError
from declnet.runner import position
from reliability.hostile_files import cut, elsewhere, flipped, headers

ELSEWHERE = 2000
"""Changed bytes that are in no header."""

Bits = tuple[object, ...]


def bits(arrays: dict[str, Array]) -> Bits:
    return tuple((name, str(array.dtype), array.shape, array.tobytes()) for name, array in sorted(arrays.items()))


def of_checkpoint(path: Path) -> Bits:
    saved = position.load(path)
    return saved.position.model_dump_json(), *bits(dict(saved.arrays))


def of_archive(path: Path) -> Bits:
    source = NPZ(path=path)
    if source.columns().keys() != {"x", "y"}:
        raise DataError("the config's columns are not there")
    return bits(source.read(["x", "y"]))


READERS: dict[str, tuple[Callable[[Path], Bits], type[DeclnetError]]] = {
    "checkpoint": (of_checkpoint, CheckpointError),
    "archive": (of_archive, DataError),
}


def changes(content: bytes, step: int) -> Iterator[tuple[str, str, bytes]]:
    """What is done to the content: the kind of thing, which, and what comes of it."""
    for name, changed in flipped(content, headers(content)[::step]):
        yield "header", name, changed
    for name, changed in flipped(content, elsewhere(content, ELSEWHERE // step)):
        yield "elsewhere", name, changed
    for name, changed in cut(content, step):
        yield "cut", name, changed


def tried(kind: str, path: Path, step: int) -> dict[str, object]:
    """How often what was done was refused, or read as the same bits, and what else there was."""
    read, refusal = READERS[kind]
    content = path.read_bytes()
    good = read(path)
    counts: Counter[str] = Counter()
    strange: list[str] = []
    for what, name, changed in changes(content, step):
        counts[what] += 1
        path.write_bytes(changed)
        try:
            found = read(path)
        except refusal:
            counts[f"{what} refused"] += 1
        except Exception as error:  # noqa: BLE001 - which one is what this is about
            strange.append(f"{name}: {type(error).__name__}: {error}")
        else:
            counts[f"{what} the same"] += found == good
            strange += [] if found == good else [f"{name}: read as other bits"]
    return {"counts": counts, "strange": strange}


if __name__ == "__main__":
    print(json.dumps(tried(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))  # noqa: T201 - for who started it
