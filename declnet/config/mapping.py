"""A config given as a mapping: written as YAML and read like a file, so that the same rules and messages hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from numbers import Integral, Real
from pathlib import PurePath

from declnet.config import yaml
from declnet.config.document import Document
from declnet.config.dump import dump
from declnet.errors import ConfigError, Diagnostic, Path

NAME = "<config>"
"""What messages call it; the lines they name and show are those of the mapping in YAML."""


def document(config: Mapping[str, object]) -> Document:
    """The document that a file with these contents would give.

    ConfigError with every value that no file can hold.
    """
    writer = _Writer()
    written = yaml.loads(dump({key: writer.value(value, (key,)) for key, value in writer.items(config, ())}), NAME)
    if writer.problems:
        placed = [replace(item, mark=written.mark(item.path)) for item in writer.problems]
        raise ConfigError(*placed[: yaml.MISTAKES])
    return written


class _Writer:
    """Makes mappings, lists and scalars of what is like them, and notes what is not."""

    def __init__(self) -> None:
        self.problems: list[Diagnostic] = []

    def value(self, value: object, path: Path) -> object:
        """What a file can hold; in place of anything else a text that names its type."""
        if isinstance(value, Mapping):
            return {key: self.value(inner, (*path, key)) for key, inner in self.items(value, path)}
        if isinstance(value, list | tuple):
            return [self.value(item, (*path, index)) for index, item in enumerate(value)]
        if isinstance(value, PurePath):
            return str(value)
        # NumPy's scalars are numbers too.
        if isinstance(value, Integral) and not isinstance(value, bool):
            value = int(value)
        elif isinstance(value, Real) and not isinstance(value, bool):
            value = float(value)
        try:
            dump({"value": value})
        except (TypeError, ValueError) as error:
            self.problems.append(Diagnostic(str(error), path))
            return f"<{type(value).__name__}>"
        return value

    def items(self, value: Mapping[str, object], path: Path) -> list[tuple[str, object]]:
        """The items of a mapping, each key a string."""
        for key in value:
            if not isinstance(key, str):
                self.problems.append(Diagnostic(f"a key is a string, not {key!r}", (*path, str(key))))
        return [(str(key), inner) for key, inner in value.items()]
