"""A folder with a small config and its data, and commands in it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.tiny import prepare
from reliability.children import Children, Ended


@dataclass(frozen=True)
class Place:
    """Where commands run, and whose children they are."""

    folder: Path
    children: Children

    def declnet(self, *arguments: object, **environment: str) -> Ended:
        return self.children.declnet(self.folder, *arguments, **environment)

    def done(self, *arguments: object) -> None:
        """A command that a check needs done before it begins."""
        ended = self.declnet(*arguments)
        if ended.rc:
            raise RuntimeError(ended.stderr)


@contextmanager
def prepared(*, loaded: bool = True) -> Iterator[Place]:
    """`tiny.yaml` and `t.csv` in a folder of their own."""
    with tempfile.TemporaryDirectory() as name, Children(loaded=loaded) as children:
        prepare(Path(name))
        yield Place(Path(name), children)
