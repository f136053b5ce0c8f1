"""A disk whose power can be lost: what was written and not synced may be there afterwards, or not, or in part.

It is built from the calls that `calls.note` has written down. What POSIX promises is all that counts: bytes are
there for good once their file is synced, names once their folder is. Until then each change of a folder may be
lost, one without the other, and a file may hold what it held before, all that was written, the writes without some
of them, some sectors of them with zeros in between, or nothing but zeros.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, Final

SECTOR: Final = 512

BETWEEN: Final = 3
"""States that are drawn of what is between nothing and all of what was written."""

FEW: Final = 5
"""Changes of names of which all subsets are looked at."""

Tree = dict[str, "bytes | Tree"]
"""What is in a folder, by name."""


@dataclass(eq=False)
class File:
    """What is there for good, and what was done since: bytes at a place, or None for having been emptied."""

    synced: bytes = b""
    since: list[tuple[int, bytes | None]] = field(default_factory=list)

    def sync(self) -> None:
        self.synced, self.since = self.after(self.since), []

    def after(self, changes: Sequence[tuple[int, bytes | None]]) -> bytes:
        content = bytearray(self.synced)
        for at, data in changes:
            if data is None:
                content.clear()
            else:
                content.extend(bytes(max(0, at - len(content))))
                content[at : at + len(data)] = data
        return bytes(content)

    def found(self, rng: random.Random) -> bytes:
        """What may be there after a loss of power."""
        whole = self.after(self.since)
        zeros = self.after([(at, None if data is None else bytes(len(data))) for at, data in self.since])
        how = rng.randrange(4)
        if how == 0:
            return self.after([change for change in self.since if rng.random() < 0.5])
        if how == 1:
            cut = rng.randrange(len(whole) + 1)
            return whole[:cut] + self.synced[cut:]
        if how == 2:
            return zeros
        starts = range(0, len(whole), SECTOR)
        return b"".join(rng.choice((whole, zeros))[start : start + SECTOR] for start in starts)


@dataclass(eq=False)
class Folder:
    """The names that are there for good, and what became of names since: None for those that went."""

    synced: dict[str, File | Folder] = field(default_factory=dict)
    since: list[dict[str, File | Folder | None]] = field(default_factory=list)

    def sync(self) -> None:
        self.synced, self.since = self.after(self.since), []

    def after(self, changes: Sequence[Mapping[str, File | Folder | None]]) -> dict[str, File | Folder]:
        found: dict[str, File | Folder | None] = dict(self.synced)
        for change in changes:
            found |= change
        return {name: node for name, node in found.items() if node is not None}

    @property
    def now(self) -> dict[str, File | Folder]:
        return self.after(self.since)


class Disk:
    """What is below a folder."""

    def __init__(self, root: Path, top: Folder | None = None) -> None:
        """Begin with what is there now, synced, or with this."""
        self.root = root
        self.top = _read(root) if top is None else top

    def folder(self, path: Path) -> Folder:
        node: File | Folder = self.top
        for part in path.relative_to(self.root).parts:
            assert isinstance(node, Folder)
            node = node.now[part]
        assert isinstance(node, Folder)
        return node

    def do(self, entry: Mapping[str, Any]) -> None:
        """Take in a call that was noted."""
        path = Path(entry.get("path", self.root))
        if path == self.root and entry["name"] == "fsync":
            self.top.sync()
        if path == self.root or not path.is_relative_to(self.root):
            return
        folder = self.folder(path.parent)
        node = folder.now.get(path.name)
        match entry["name"]:
            case "open" if entry["flags"] & os.O_CREAT and node is None:
                folder.since.append({path.name: File()})
            case "open" if entry["flags"] & os.O_TRUNC:
                assert isinstance(node, File)
                node.since.append((0, None))
            case "write":
                assert isinstance(node, File)
                node.since.append((entry["at"], bytes.fromhex(entry["data"])))
            case "fsync":
                assert node is not None
                node.sync()
            case "mkdir" if node is None:
                folder.since.append({path.name: Folder()})
            case "unlink" | "rmdir" if node is not None:
                folder.since.append({path.name: None})
            case "replace":
                to = Path(entry["to"])
                assert to.parent == path.parent
                folder.since.append({path.name: None, to.name: node})
            case "ftruncate" | "truncate" | "rename" | "link" | "symlink" | "remove":
                raise AssertionError(f"a call that this disk does not know: {entry}")

    def content(self, path: Path) -> bytes:
        node = self.folder(path.parent).now[path.name]
        assert isinstance(node, File)
        return node.after(node.since)

    def states(self, rng: random.Random) -> Iterator[Tree]:
        """What may be there if power is lost now: for all that can become of names, or some of it where there are
        many, the files as they were synced, as they were written, and several times something in between.
        """
        changed = [(folder, change) for folder in _folders(self.top) for change in folder.since]
        subsets = product((True, False), repeat=len(changed)) if len(changed) <= FEW else _some(rng, len(changed))
        for subset in subsets:
            kept = {id(change) for (_, change), keep in zip(changed, subset, strict=True) if keep}
            for how in ("synced", "written", *["between"] * BETWEEN):
                yield _tree(self.top, kept, how, rng)


def _some(rng: random.Random, count: int) -> Iterator[tuple[bool, ...]]:
    """Which of so many are kept: all, none, all but one of them, and some at random."""
    yield (True,) * count
    yield (False,) * count
    for one in range(count):
        yield tuple(number != one for number in range(count))
    for _ in range(count):
        yield tuple(rng.random() < 0.5 for _ in range(count))


def _read(path: Path) -> Folder:
    return Folder({item.name: _read(item) if item.is_dir() else File(item.read_bytes()) for item in path.iterdir()})


def _folders(top: Folder) -> Iterator[Folder]:
    yield top
    seen = {id(node): node for change in (top.synced, *top.since) for node in change.values()}
    for node in seen.values():
        if isinstance(node, Folder):
            yield from _folders(node)


def _tree(folder: Folder, kept: set[int], how: str, rng: random.Random) -> Tree:
    found = folder.after([change for change in folder.since if id(change) in kept])
    tree: Tree = {}
    for name, node in found.items():
        if isinstance(node, Folder):
            tree[name] = _tree(node, kept, how, rng)
        elif how == "between" and node.since:
            tree[name] = node.found(rng)
        else:
            tree[name] = node.after(node.since if how == "written" else [])
    return tree


def write(tree: Tree, folder: Path) -> None:
    """Put a tree into a folder that is not there."""
    folder.mkdir()
    for name, item in tree.items():
        if isinstance(item, bytes):
            (folder / name).write_bytes(item)
        else:
            write(item, folder / name)
