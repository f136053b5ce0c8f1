"""The disk on which losses of power are tried loses what was not synced, and nothing else."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest

from reliability.disk import SECTOR, Disk, File, Folder, Tree

FOLDER = Path("/f")
NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


def call(name: str, path: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "path": os.path.normpath(FOLDER / path), **more}


def written(path: str, content: bytes, *, sync: bool) -> list[dict[str, Any]]:
    calls = [call("open", path, flags=NEW), call("write", path, data=content.hex(), at=0)]
    return calls + [call("fsync", path)] * sync


def states(*calls: dict[str, Any], before: dict[str, bytes] | None = None) -> list[Tree]:
    """The different states after a loss of power."""
    disk = Disk(FOLDER, Folder({name: File(content) for name, content in (before or {}).items()}))
    for entry in calls:
        disk.do(entry)
    found = list(disk.states(random.Random(7)))  # noqa: S311 - the same each time
    return [tree for index, tree in enumerate(found) if tree not in found[:index]]


def test_what_is_synced_is_there() -> None:
    done = [*written("a", b"new", sync=True), call("fsync", ".")]
    assert states(*done) == [{"a": b"new"}]
    assert states(*done, call("replace", "a", to=str(FOLDER / "b")), call("fsync", ".")) == [{"b": b"new"}]


def test_a_name_that_is_not_synced() -> None:
    assert states(*written("a", b"new", sync=True)) == [{"a": b"new"}, {}]
    renamed = [*written("t", b"new", sync=True), call("fsync", "."), call("replace", "t", to=str(FOLDER / "a"))]
    assert states(*renamed, before={"a": b"old"}) == [{"a": b"new"}, {"t": b"new", "a": b"old"}]


def test_names_are_lost_one_without_the_other() -> None:
    made = [*written("a", b"1", sync=True), *written("b", b"2", sync=True)]
    assert states(*made) == [{"a": b"1", "b": b"2"}, {"a": b"1"}, {"b": b"2"}, {}]


def test_a_folder_that_is_not_synced_takes_what_is_in_it_along() -> None:
    made = [call("mkdir", "d"), *written("d/a", b"1", sync=True), call("fsync", "d")]
    assert states(*made) == [{"d": {"a": b"1"}}, {}]


def test_bytes_that_are_not_synced() -> None:
    """Of what is appended to a synced file, which keeps its beginning, all, nothing or something is there."""
    old, new = b"o" * SECTOR, b"n" * SECTOR
    appended = call("write", "a", data=new.hex(), at=SECTOR)
    found = {tree["a"] for tree in states(appended, before={"a": old})}
    assert {old, old + new} <= found
    assert all(isinstance(content, bytes) and content[:SECTOR] == old for content in found)
    rng = random.Random(7)  # noqa: S311 - the same each time
    torn = {File(old, [(SECTOR, new)]).found(rng) for _ in range(100)}
    assert {old, old + new, old + bytes(SECTOR)} < torn
    assert any(SECTOR < len(content) < 2 * SECTOR for content in torn)


def test_a_call_that_it_does_not_know() -> None:
    with pytest.raises(AssertionError, match="a call that this disk does not know"):
        states(call("rename", "a"))
