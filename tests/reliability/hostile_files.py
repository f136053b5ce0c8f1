"""Checkpoints and archives that someone has changed: byte by byte, cut, or made to harm."""

from __future__ import annotations

import io
import json
import pickle
import random
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from declnet.data.sources.npz import LOCAL
from declnet.runner import checkpoint
from reliability.broken_arrays import ENDLESS, Code, header, npy
from reliability.broken_files import zip_of

FLIPS: Final = (0x01, 0x80, 0xFF)
"""What is done to a byte: its lowest bit, its highest, all of them."""


def headers(content: bytes) -> list[int]:
    """The positions of all bytes of an archive that are in a header, zip's or NumPy's, and no array's numbers."""
    data: set[int] = set()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for info in archive.infolist():
            with archive.open(info) as member:
                size = len(member.read()) - len(array_bytes(content, info))
            start = member_start(content, info) + size
            data.update(range(start, member_start(content, info) + info.compress_size))
    return [place for place in range(len(content)) if place not in data]


def member_start(content: bytes, info: zipfile.ZipInfo) -> int:
    """Where a member begins, behind its own header."""
    at = info.header_offset
    _, name, extra = LOCAL.unpack(content[at : at + LOCAL.size])
    return at + LOCAL.size + int(name) + int(extra)


def array_bytes(content: bytes, info: zipfile.ZipInfo) -> bytes:
    """The numbers of a stored array."""
    start = member_start(content, info)
    member = content[start : start + info.compress_size]
    return member[10 + int.from_bytes(member[8:10], "little") :]


def flipped(content: bytes, places: list[int]) -> Iterator[tuple[str, bytes]]:
    """The content with a byte changed, at each of these places in each way."""
    for place in places:
        for flip in FLIPS:
            copy = bytearray(content)
            copy[place] ^= flip
            yield f"byte {place} ^ {flip:#04x}", bytes(copy)


def elsewhere(content: bytes, count: int) -> list[int]:
    """Places that are in no header, drawn once and for all."""
    known = set(headers(content))
    rest = [place for place in range(len(content)) if place not in known]
    return random.Random(7).choices(rest, k=count)  # noqa: S311 - the same places each time


def cut(content: bytes, step: int) -> Iterator[tuple[str, bytes]]:
    """The content's beginnings."""
    for length in range(0, len(content), step):
        yield f"cut to {length}", content[:length]


Change = Callable[[Path], object]


def rewritten(**members: bytes) -> Change:
    """The checkpoint with some members replaced or added, `model/` written as `model__`."""

    def change(path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            found = {name: archive.read(name) for name in archive.namelist()}
        zip_of(path, found | {f"{name.replace('__', '/')}.npy": content for name, content in members.items()})

    return change


def with_meta(**changes: object) -> Change:
    def change(path: Path) -> None:
        arrays, meta = checkpoint.load(path)
        checkpoint.save(path, arrays, meta | changes)

    return change


def with_member(name: str, content: bytes = npy(np.ones(3)), how: int = zipfile.ZIP_STORED) -> Change:
    def change(path: Path) -> None:
        with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as archive:
            warnings.simplefilter("ignore")  # of names that are there already
            archive.writestr(zipfile.ZipInfo(name), content, how)

    return change


def without(part: str) -> Change:
    """The checkpoint without the arrays of a part."""

    def change(path: Path) -> None:
        arrays, meta = checkpoint.load(path)
        checkpoint.save(path, {name: array for name, array in arrays.items() if not name.startswith(part)}, meta)

    return change


def other_arrays(make: Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]) -> Change:
    """The checkpoint with other arrays of the model."""

    def change(path: Path) -> None:
        arrays, meta = checkpoint.load(path)
        changed = {name: make(array) if name.startswith("model/") else array for name, array in arrays.items()}
        checkpoint.save(path, changed, meta)

    return change


def packed(path: Path) -> None:
    """Pack all that is in it."""
    with zipfile.ZipFile(path) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    zip_of(path, found, zipfile.ZIP_DEFLATED)


def bomb(path: Path) -> None:
    """A gigabyte of zeros in a thousandth of the space."""
    with_member("model/0.weight.npy", header("(268435456,)") + bytes(1 << 28), zipfile.ZIP_DEFLATED)(path)


def to_fifo(path: Path) -> None:
    import os

    path.unlink()
    os.mkfifo(path)


def text_of(value: object) -> bytes:
    return npy(np.array(json.dumps(value)))


WEIGHT = "model__0.weight"
CHANGES: Final[dict[str, Change]] = {
    "nothing": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("weights", encoding="utf-8"),
    "a pickle": lambda path: path.write_bytes(pickle.dumps(Code())),
    "a lone array": lambda path: path.write_bytes(npy(np.ones(3))),
    "a directory": lambda path: (path.unlink(), path.mkdir()),
    "a FIFO": to_fifo,
    "a link to a device": lambda path: (path.unlink(), path.symlink_to("/dev/zero")),
    "a link to itself": lambda path: (path.unlink(), path.symlink_to(path.name)),
    "gone": lambda path: path.unlink(),
    "a newer version": with_meta(format=2),
    "a version that is text": with_meta(format="1"),
    "a meta of its own": with_meta(more=1),
    "an epoch below 0": with_meta(epoch=-1),
    "an epoch of text": with_meta(epoch="2"),
    "random states of another kind": with_meta(random={"noise": {"bit_generator": "MT19937"}}),
    "a meta that is a list": rewritten(meta=text_of([1])),
    "a meta that is no JSON": rewritten(meta=npy(np.array("{x"))),
    "a meta of brackets": rewritten(meta=npy(np.array("[" * 100_000))),
    "a meta of digits": rewritten(meta=npy(np.array('{"format": ' + "1" * 10_000 + "}"))),
    "a meta that is a number": rewritten(meta=npy(np.array(1))),
    "a meta that is an object": rewritten(meta=npy(np.array({}))),
    "a meta that is no text": rewritten(meta=header("()", "'<U4'") + b"\xff" * 16),
    "objects": rewritten(**{WEIGHT: npy(np.array([[Code()]]))}),
    "a pickle in a member": rewritten(**{WEIGHT: pickle.dumps(Code())}),
    "records": rewritten(**{WEIGHT: npy(np.zeros(3, [("a", "f4")]))}),
    "another dtype": other_arrays(lambda array: array.astype(np.float64)),
    "another order of bytes": other_arrays(lambda array: array.astype(array.dtype.newbyteorder(">"))),
    "another shape": other_arrays(lambda array: array.reshape(1, *array.shape)),
    "another network": without("model/2."),
    "another optimizer": without("optimizer/"),
    "an array more": rewritten(model__9=npy(np.ones(3))),
    "10^15 numbers": rewritten(**{WEIGHT: header(ENDLESS) + bytes(8)}),
    "10^15 objects": rewritten(**{WEIGHT: header(ENDLESS, "'|O'") + bytes(8)}),
    "10^15 numbers of no bytes": rewritten(**{WEIGHT: header(ENDLESS, "'|V0'")}),
    "10^15 texts": rewritten(meta=header(ENDLESS, "'<U9'") + bytes(8)),
    "a size below 0": rewritten(**{WEIGHT: header("(-1, 2)") + bytes(8)}),
    "code in a header": rewritten(**{WEIGHT: header("(1,)", "__import__('os').system('touch ran')") + bytes(4)}),
    "bytes behind an array": rewritten(**{WEIGHT: npy(np.ones((3, 2), np.float32)) + bytes(8)}),
    "an array cut": rewritten(**{WEIGHT: npy(np.ones((3, 2), np.float32))[:-4]}),
    "a member twice": with_member("model/0.weight.npy"),
    "a meta twice": with_member("meta.npy", text_of({"format": 1})),
    "a member that leads upwards": with_member("../../model.npy"),
    "a member of the root": with_member("/etc/model.npy"),
    "a member that is no array": with_member("read.me", b"words"),
    "a member without its ending": with_member("model/0.weight"),
    "packed members": packed,
    "a bomb": bomb,
    "a thousand members more": lambda path: [with_member(f"model/{n}.npy")(path) for n in range(1000)],
}
"""What is done to `last.npz` by someone who knows how it is made."""

BRACKETS: Final = "[" * 100_000
RUN_FILES: Final[dict[str, Change]] = {
    f"{name}: {what}": change
    for name in ("metrics.jsonl", "summary.json")
    for what, change in {
        "gone": lambda path: path.unlink(),
        "nothing": lambda path: path.write_bytes(b""),
        "a FIFO": to_fifo,
        "a directory": lambda path: (path.unlink(), path.mkdir()),
        "brackets": lambda path: path.write_text(BRACKETS, encoding="utf-8"),
        "digits": lambda path: path.write_text("1" * 100_000, encoding="utf-8"),
        "no UTF-8": lambda path: path.write_bytes(b"\xff\xfe\n\xff\n"),
        "zeros": lambda path: path.write_bytes(bytes(1 << 20)),
        "another epoch": lambda path: path.write_text('{"epoch": 7}\n', encoding="utf-8"),
        "nothing but epochs": lambda path: path.write_text(
            "".join(f'{{"epoch": {epoch}}}\n' for epoch in range(1, 4)), encoding="utf-8"
        ),
        "nan": lambda path: path.write_text('{"epoch": NaN}\n', encoding="utf-8"),
    }.items()
}
"""The same of the other files that a run writes."""
