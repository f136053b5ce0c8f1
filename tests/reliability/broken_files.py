"""Files that no config, table or array is made of, by the names that the tables of broken inputs call them."""

from __future__ import annotations

import gzip
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

MEBIBYTE = 1 << 20

Maker = Callable[[Path], object]
MAKERS: Final[dict[str, Maker]] = {}


def maker(make: Maker) -> Maker:
    """Find it by its name."""
    MAKERS[make.__name__] = make
    return make


def lines(name: str, text: str) -> Maker:
    return lambda folder: (folder / name).write_text(text, encoding="utf-8")


def filled(start: str, unit: str, end: str = "") -> Maker:
    """A config that is a mebibyte of the same."""
    return lines("c.yaml", start + unit * ((MEBIBYTE - len(start) - len(end)) // len(unit)) + end)


LAUGHS = "x: &x0 [1, 1]\ny: [" + ", ".join(f"&x{n + 1} [*x{n}, *x{n}]" for n in range(25)) + "]\n"
BASE = "seed: -1\n"

MAKERS |= {
    "laughs": lines("c.yaml", LAUGHS),
    "repeated": lines("c.yaml", f"a: &a [{'1, ' * 5000}]\nb: [{'*a, ' * 40}]\n"),
    "aliases": lines("c.yaml", f"a: &a 1\nb: [{'*a, ' * 60_000}]\n"),
    "deep_flow": filled("a: ", "[" * 10, "]" * (MEBIBYTE // 2)),
    "deep_open": filled("a: ", "["),
    "deep_block": lines("c.yaml", "".join(f"{' ' * n}a:\n" for n in range(1000))),
    "wide": filled("a: [", "1, ", "]"),
    "large": lines("c.yaml", "seed: 1\n" + "# more\n" * MEBIBYTE),
    "lines": filled("seed: 1\n", "\n"),
    "long_key": lines("c.yaml", f"{'k' * (MEBIBYTE - 10)}: 1\n"),
    "long_text": lines("c.yaml", f"name: {'a' * (MEBIBYTE - 10)}\n"),
    "long_number": lines("c.yaml", f"seed: {'1' * (MEBIBYTE - 10)}\n"),
    "long_quote": lines("c.yaml", f'name: "{"a" * (MEBIBYTE - 10)}\n'),
    "long_comment": lines("c.yaml", f"seed: 1 #{'a' * (MEBIBYTE - 12)}\n"),
    "anchors": filled("a: [", "&a x, ", "]"),
    "questions": filled("", "? "),
    "ring": lines("b.yaml", "extends: c.yaml\n"),
    "broken_base": lines("bad.yaml", "seed: 1\nloop: [1\n"),
    "wrong_base": lines("base.yaml", BASE),
    "big_base": lines("big.yaml", "seed: 1\n" + "# more\n" * MEBIBYTE),
}


@maker
def chain(folder: Path) -> None:
    for number in range(20):
        lines(f"{number}.yaml", f"extends: {number + 1}.yaml\n")(folder)


@maker
def fifo(folder: Path) -> None:
    os.mkfifo(folder / "pipe")


@maker
def link_loop(folder: Path) -> None:
    (folder / "loop").symlink_to("loop")


@maker
def dangling(folder: Path) -> None:
    (folder / "link").symlink_to("gone")


@maker
def link_to_fifo(folder: Path) -> None:
    fifo(folder)
    (folder / "link").symlink_to("pipe")


@maker
def link_to_device(folder: Path) -> None:
    (folder / "link").symlink_to("/dev/zero")


def table(content: bytes) -> Maker:
    return lambda folder: (folder / "t.csv").write_bytes(content)


def rows(count: int) -> bytes:
    return b"".join(b"%d,%d,%d\n" % (row, row * row % 97, row % 2) for row in range(count))


HEAD = b"a,b,c\n"
PACKED = gzip.compress(HEAD + rows(3000), mtime=0)

MAKERS |= {
    "utf_16": table("a,b,c\n1,2,0\n".encode("utf-16")),
    "latin_1": table("a,b,c,é\n1,2,0,é\n".encode("latin-1")),
    "picture": table(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
    "zipped_table": lambda folder: zip_of(folder / "t.csv", {"t.csv": HEAD}),
    "gzip_cut": table(PACKED[: len(PACKED) // 2]),
    "gzip_sum": table(PACKED[:-8] + bytes(8)),
    "gzip_damaged": table(PACKED[:60] + bytes(9) + PACKED[69:]),
    "gzip_and_more": table(PACKED + b"\1"),
    "gzip_rows": lambda folder: gzip_of(folder / "t.csv", HEAD, b"0,0,0\n" * MEBIBYTE, 64),
    "gzip_line": lambda folder: gzip_of(folder / "t.csv", HEAD, b"0" * MEBIBYTE, 1024),
    "gzip_zeros": lambda folder: gzip_of(folder / "t.csv", HEAD, bytes(MEBIBYTE), 1024),
    "long_line": table(HEAD + b"1" * (17 * MEBIBYTE)),
    "long_cell": table(HEAD + b"1,2,0\n3," + b"4" * 200_000 + b",1\n"),
    "many_columns": table(HEAD + b"1," * 100_000 + b"\n"),
    "many_mistakes": table(HEAD + b"x,y,0\n" * 1000),
}


def zip_of(path: Path, members: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", how) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, how)


def gzip_of(path: Path, head: bytes, unit: bytes, count: int) -> None:
    with gzip.open(path, "wb") as file:
        file.write(head)
        for _ in range(count):
            file.write(unit)
