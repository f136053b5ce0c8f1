"""What is found wrong with a config, each mistake at its place."""

from __future__ import annotations

from dataclasses import replace

from declnet.config.document import Document
from declnet.config.read import Reading
from declnet.errors import ConfigError, DataError, Diagnostic, Path


class Findings:
    """A config as far as it could be read, and the mistakes found so far."""

    def __init__(self, reading: Reading) -> None:
        """Begin with what reading found."""
        self.document: Document = reading.document
        self.sections = reading.sections
        self.problems: list[Diagnostic] = [*reading.problems]
        self.config_is_wrong = False
        """Whether a mistake is the config's, and not the data's."""

    def problem(self, message: str, path: Path) -> None:
        """Note a mistake of the config."""
        self.config_is_wrong = True
        self.problems.append(Diagnostic(message, path, self.document.mark(path)))

    def refused(self, error: ConfigError | DataError, base: Path) -> None:
        """Note what the source at a path refuses: its file, or that a package which it needs is missing."""
        self.config_is_wrong |= isinstance(error, ConfigError)
        self.problems += placed(error, self.document, base)


def placed(error: ConfigError | DataError, document: Document, base: Path = ("data", "source")) -> list[Diagnostic]:
    """What a source refuses, at the keys of the config that it speaks of, unless it is about places in the data;
    `base` is where the source is.
    """
    if any(item.mark for item in error.diagnostics):
        return [*error.diagnostics]
    paths: list[Path] = [(*base, *item.path) for item in error.diagnostics]
    pairs = zip(error.diagnostics, paths, strict=True)
    return [replace(item, path=path, mark=document.mark(path)) for item, path in pairs]
