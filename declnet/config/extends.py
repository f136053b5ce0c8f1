"""`extends: base.yaml`: a config that says only what is different from another file.

Mappings are merged key by key, however deep. Everything else, lists too, takes the place of what the other file
says, and so does a component of another `type`: its arguments are not those of the one before.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as FilePath

from declnet.config import mapping, yaml
from declnet.config.document import COMPONENTS, Document, Marks, Value, kind
from declnet.errors import ConfigError, Diagnostic, Path

KEY = "extends"
FILES = 10
"""Files in a row at most."""


def load(config: FilePath | str | Mapping[str, object]) -> Document:
    """Read a config, a file or what one would hold, and what it extends, merged. ConfigError with what is wrong in
    the first file that is.
    """
    if isinstance(config, Mapping):
        return _merged(mapping.document(config), FilePath(mapping.NAME), ())
    return _load(config, ())


def _load(path: FilePath | str, before: tuple[FilePath, ...]) -> Document:
    return _merged(yaml.load(path), FilePath(path), before)


def _merged(document: Document, path: FilePath, before: tuple[FilePath, ...]) -> Document:
    """The document of a file, over what it extends."""
    if KEY not in document.data:
        return document
    named, mark = document.data[KEY], document.values[KEY,]

    def refusal(message: str) -> ConfigError:
        return ConfigError(Diagnostic(message, (KEY,), mark))

    if not isinstance(named, str):
        raise refusal(f"expected the path of another config, got {kind(named)}")
    if "${" in named:
        raise refusal("what a file extends is read before references are replaced; write the path itself")
    files = (*before, path)
    base = files[-1].parent / named
    if any(_same(base, file) for file in files):
        raise refusal(f"a file cannot extend itself: {' -> '.join(map(str, (*files, base)))}")
    if len(files) == FILES:
        raise refusal(f"more than {FILES} files extend one another")
    try:
        lower = _load(base, files)
    except ConfigError as error:
        if any(item.mark is not None for item in error.diagnostics):
            raise
        raise refusal(str(error).removeprefix("error: ")) from None
    return _Merge(lower, document).document()


def _same(one: FilePath, other: FilePath) -> bool:
    try:
        return one.samefile(other)
    except (OSError, ValueError):  # what cannot be read is refused when it is read
        return False


class _Merge:
    """A document over another one."""

    def __init__(self, lower: Document, upper: Document) -> None:
        self.lower, self.upper = lower, upper
        self.values, self.keys = dict(lower.values), dict(lower.keys)

    def document(self) -> Document:
        upper = {key: value for key, value in self.upper.data.items() if key != KEY}
        data = self.merge(self.lower.data, upper, ())
        self.values.update(self.upper.values)
        self.keys.update(self.upper.keys)
        return Document(data, self.values, self.keys)

    def merge(self, lower: dict[str, Value], upper: dict[str, Value], path: Path) -> dict[str, Value]:
        merged = dict(lower)
        for key, value in upper.items():
            inner, below = (*path, key), lower.get(key)
            if isinstance(below, str) and inner in COMPONENTS and isinstance(value, dict):
                self.values[*inner, "type"] = self.values[inner]
                below = {"type": below}
            if isinstance(below, dict) and isinstance(value, dict) and not _other(below, value):
                merged[key] = self.merge(below, value, inner)
            else:
                _forget(self.values, inner)
                _forget(self.keys, inner)
                merged[key] = value
        return merged


def _other(lower: dict[str, Value], upper: dict[str, Value]) -> bool:
    """Whether the upper one is another component."""
    return "type" in upper and "type" in lower and lower["type"] != upper["type"]


def _forget(marks: Marks, path: Path) -> None:
    """Remove the marks inside a value that is replaced."""
    for inside in [inside for inside in marks if len(inside) > len(path) and inside[: len(path)] == path]:
        del marks[inside]
