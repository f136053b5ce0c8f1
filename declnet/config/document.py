"""A loaded document: what its scalars mean, and the place in the text each value came from."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from typing import Final, TypeAlias

from declnet.errors import Diagnostic, Mark, Path
from declnet.records import record

Scalar: TypeAlias = str | int | float | bool | None
Value: TypeAlias = Scalar | tuple["Value", ...] | dict[str, "Value"]
Marks: TypeAlias = dict[Path, Mark]

UNPRINTABLE = re.compile(
    "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f\\u2028\\u2029\\ud800-\\udfff\\ufeff\\ufffe\\uffff]"
)
"""What can only be written as an escape: control characters, U+2028, U+2029, surrogates, a later BOM."""

DIGITS = 19  # a 64-bit integer fits
_BREAK = re.compile(r"\r\n|\r|\n")
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_LEADING_ZERO = re.compile(r"([-+]?)0+([0-9]+)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((sign + word for sign in ("", "+") for word in (".inf", ".Inf", ".INF")), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_KINDS = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    tuple: "a list",
    dict: "a mapping",
}


def clip(text: str, limit: int = 40) -> str:
    """Shorten `text` to `limit` characters, with an ellipsis where something was left out."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def kind(value: Value) -> str:
    """Say what a value is, as a user would: `a mapping`, `an integer`, `null`."""
    return _KINDS.get(type(value), "null")


def scalar(text: str) -> Scalar:
    """Resolve a plain scalar by the YAML 1.2 core schema.

    Raises `ValueError`, with a message for the user, for what the schema allows but people misread.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        if math.isinf(value := float(text)):
            raise ValueError(f"{clip(text)} is too large for a float; write .inf, or quote it")
        return value
    return text


def _integer(text: str) -> int:
    if match := _LEADING_ZERO.fullmatch(text):
        sign, digits = match.groups()
        octal = "" if sign or set(digits) & {"8", "9"} else f", or 0o{clip(digits)} for octal"
        raise ValueError(f"{clip(text)} starts with a zero; write {sign}{clip(digits)}{octal}, or quote it")
    # 24 characters hold the longest number allowed (0o and 22 digits); longer ones are never converted.
    if len(text) > 24 or abs(value := int(text, 0)) >= 10**DIGITS:
        raise ValueError(f"{clip(text)} has more than {DIGITS} digits; write a float (1e20), or quote it")
    return value


COMPONENTS: Final[frozenset[Path]] = frozenset({("loss",), ("optimizer",), ("data", "source")})
"""Where a bare name stands for a component, beside the items of lists: `optimizer: AdamW`."""


def is_string(text: str) -> bool:
    """Whether a plain scalar would be read as a string."""
    try:
        return isinstance(scalar(text), str)
    except ValueError:
        return False


class Source:
    """A text, and what messages call it; turns an offset into a mark."""

    def __init__(self, text: str, file: str, line: int | None = None) -> None:
        """Take the text; `line` is the number of an argument of the command line, where it is one."""
        self.text, self.file, self.line = text, file, line
        self.starts = [0, *(match.end() for match in _BREAK.finditer(text))]

    def mark(self, offset: int) -> Mark:
        """The place of the character at `offset`."""
        row = bisect_right(self.starts, offset) - 1
        start = self.starts[row]
        line = _BREAK.split(self.text[start : start + 202], maxsplit=1)[0]
        # The text of an argument or of a damaged file must not send codes to the terminal.
        shown = UNPRINTABLE.sub("\ufffd", clip(line, 200))
        return Mark(self.file, self.line or row + 1, offset - start + 1, shown)


@record
class Document:
    """The data, where each value starts, and where each mapping key starts (its path ends in that key).

    `problems` are mistakes and warnings about references in it; `broken` the paths of the values that are left
    unknown by such a mistake.
    """

    data: dict[str, Value]
    values: Marks
    keys: Marks
    problems: tuple[Diagnostic, ...] = ()
    broken: frozenset[Path] = frozenset()

    def mark(self, path: Path, *, key: bool = False) -> Mark | None:
        """The place of the value at `path` (with `key`, of its key), or of the nearest value around it."""
        if key and path in self.keys:
            return self.keys[path]
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path)
