"""The exception tree: every refusal is one of these classes, and each class owns its exit code.

A refusal is made of diagnostics. A diagnostic says what is wrong, where, what was expected and how to
mend it; a config with six mistakes raises one `ConfigError` with six diagnostics.
"""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from declnet.records import record

Path = tuple[str | int, ...]
"""A key path: `("model", 0, "in_features")` is written `model[0].in_features`."""

Severity = Literal["error", "warning"]


_KEY = r"(?P<key>(?:password|passwd|pwd)(?:=|%3d))(?P<value>[^&;\s]+)"
_USER = r"(?P<user>:/+[^:/@\s]*:)"
_PASSWORD = re.compile(rf"{_USER}.*(?=@)|{_KEY}", re.IGNORECASE)
"""A URL's password: between its user and the last @ of the line, or among its parameters."""

_CUT_PASSWORD = re.compile(rf"{_USER}(?P<word>.*(?=@)|\S*)|{_KEY}", re.IGNORECASE)
"""The same where the line may have been cut off before the @."""


def shows_password(text: str) -> bool:
    """Whether a text holds a URL with a password."""
    return _PASSWORD.search(text) is not None


def _masked(text: str) -> str:
    """The text, character for character, with stars for the passwords of URLs."""
    if ":/" not in text:
        return text
    return _CUT_PASSWORD.sub(
        lambda found: (found["user"] or found["key"]) + "*" * len(found["word"] or found["value"] or ""), text
    )


def dotted(path: Path) -> str:
    """Write a key path as a user reads it: `model[0].in_features`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


@record
class Origin:
    """Where a value that is written as a reference, `${vars.width}`, really stands: its key path and its place."""

    path: Path
    file: str
    line: int
    column: int

    def __str__(self) -> str:
        """`vars.width, c.yaml:3:10`."""
        return f"{dotted(self.path)}, {self.file}:{self.line}:{self.column}"


@record
class Mark:
    """A place in a text: file name, 1-based line and column, and the line itself for the caret. `origin` is where
    the value comes from, if what stands here only refers to it.
    """

    file: str
    line: int
    column: int
    source: str = ""
    origin: Origin | None = None

    def __post_init__(self) -> None:
        """Show no password, whoever prints the line."""
        object.__setattr__(self, "source", _masked(self.source))


@record
class Diagnostic:
    """One mistake: the message, where it is (as far as that is known), and how severe it is."""

    message: str
    path: Path = ()
    mark: Mark | None = None
    severity: Severity = "error"

    def __post_init__(self) -> None:
        """Show no password, whoever prints the message."""
        object.__setattr__(self, "message", _masked(self.message))

    @property
    def headline(self) -> str:
        """The first line: `file:line:column: error: key.path: message`."""
        parts: list[str] = [self.severity]
        if self.mark is not None:
            parts.insert(0, f"{self.mark.file}:{self.mark.line}:{self.mark.column}")
        return _harmless(": ".join([*parts, self.text]))

    @property
    def text(self) -> str:
        """What is wrong, with the key path before it, and behind it the place that a wrong value comes from."""
        path = f"{dotted(self.path)}: " if self.path else ""
        origin = f" (from {self.mark.origin})" if self.mark is not None and self.mark.origin is not None else ""
        return f"{path}{self.message}{origin}"

    def __str__(self) -> str:
        """The headline, then the source line with a caret under the spot where there is one."""
        if self.mark is None or not self.mark.source.strip():
            return self.headline
        source, column = self.mark.source, self.mark.column - 1
        # Tabs stay tabs before the caret, so that it lands under its character in any terminal.
        pad = "".join("\t" if char == "\t" else " " for char in source[:column])
        return f"{self.headline}\n    {_harmless(source)}\n    {pad}^"


def _harmless(text: str) -> str:
    """The text, character for character, without what a terminal would act on: escapes, changes of direction."""
    return "".join(char if char.isprintable() or char == "\t" else "\ufffd" for char in text)


class DeclnetError(Exception):
    """Base of all refusals. `exit_code` is what the command line ends with."""

    exit_code: ClassVar[int] = 70

    def __init__(self, *diagnostics: Diagnostic | str) -> None:
        """Take the mistakes; a plain string is a diagnostic without a place."""
        self.diagnostics: tuple[Diagnostic, ...] = tuple(
            Diagnostic(item) if isinstance(item, str) else item for item in diagnostics
        )
        super().__init__(*diagnostics)

    def __str__(self) -> str:
        """All diagnostics, one after another."""
        return "\n".join(str(item) for item in self.diagnostics)


class ConfigError(DeclnetError):
    """The config or the command line is wrong; nothing was created."""

    exit_code = 2


class PluginError(ConfigError):
    """An installed plug-in cannot be used: it fails when it is imported, or its name is taken."""

    def __init__(self, message: str) -> None:
        """Take the message."""
        super().__init__(message)
        self.message = message


class ShapeError(ConfigError):
    """A component cannot work on these inputs.

    `field` names the constructor argument that is wrong, where it is one; `argument` the input at fault
    (its index), so that whoever knows the graph can say where that input comes from.
    """

    def __init__(self, message: str, *, field: str | None = None, argument: int | None = None) -> None:
        """Take the message and what it is about."""
        super().__init__(message)
        self.message = message
        self.field = field
        self.argument = argument


class DataError(DeclnetError):
    """The data are wrong: a file is missing, a cell is not a number, a label is out of range."""

    exit_code = 3


class RowError(DataError):
    """A row holds what it may not. Whoever knows the source says where that is."""

    def __init__(self, message: str, row: int, column: str | None = None) -> None:
        """Take the message, the row's number from 0, and the column where it is one of several."""
        super().__init__(f"{message} (row {row + 1})")
        self.message = message
        self.row = row
        self.column = column


class NonFiniteError(DeclnetError):
    """Training went non-finite: a loss, a gradient or a parameter is infinite or NaN."""

    exit_code = 4


What = Literal["loss", "gradient", "parameters"]


class StepError(NonFiniteError):
    """What of a step is not finite. Whoever knows the graph says where that begins."""

    def __init__(self, message: str, what: What, *, changed: bool = False) -> None:
        """Take the message, what it is about, and whether the step has changed parameters by then."""
        super().__init__(message)
        self.message = message
        self.what = what
        self.changed = changed


class MachineError(DeclnetError):
    """The machine refused: disk, permission, memory, closed pipe."""

    exit_code = 5


class CheckpointError(DeclnetError):
    """A checkpoint is unusable: damaged, of another model, or of a newer version."""

    exit_code = 6


class BusyError(DeclnetError):
    """The run directory is in use by another process."""

    exit_code = 7


class Interrupted(DeclnetError):  # noqa: N818 - nothing went wrong
    """Stopped by SIGINT, after a clean checkpoint."""

    exit_code = 130


class Terminated(Interrupted):
    """Stopped by SIGTERM, after a clean checkpoint."""

    exit_code = 143
