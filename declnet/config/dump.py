"""The YAML writer: what `declnet.config.yaml` reads back as the same data, bit for bit."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping

from declnet.config.document import DIGITS, UNPRINTABLE, is_string
from declnet.config.yaml import GLUED

COLUMNS = 100

# PyYAML looks for the ':' of a plain or quoted key within 1024 characters, and no further.
_KEY = 1000
_QUOTED = re.compile(r"""\A(?:[ ?:,\[\]{}#&*!|>'"%@`]|-(?![^ -])|\.\.\.|<<\Z)|: | #|[: ]\Z|[\t\n\r]""")
_INFINITE = {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}
_BRACKETS = re.compile(r"[\[\]{},?]")


def dump(data: Mapping[str, object], header: str | None = None) -> str:
    """Write `data` as YAML, keys in the order given, below the lines of `header` as comments.

    Raises `TypeError` or `ValueError` for what a config cannot hold.
    """
    comments = (f"# {line}".rstrip() for line in UNPRINTABLE.sub("\ufffd", header or "").splitlines())
    return "\n".join([*comments, *(_block(data, COLUMNS) if data else ["{}"]), ""])


def _block(value: object, width: int) -> Iterator[str]:
    """The lines of a mapping or a list in block style."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            head = f"{_string(key, key=True)}:"
            if len(head) > _KEY:
                yield f"? {head[:-1]}"
                head = ":"
            if _is_flat(inner):
                yield f"{head} {written(inner)}"
            else:
                yield head
                yield from (f"  {line}" for line in _block(inner, width - 2))
    elif isinstance(value, list | tuple):
        for item in value:
            short = isinstance(item, Mapping) and all(map(_is_flat, item.values()))
            if _is_flat(item) or (short and len(written(item)) <= width - 2):
                yield f"- {written(item)}"
            else:
                for number, line in enumerate(_block(item, width - 2)):
                    yield f"  {line}" if number else f"- {line}"


def _is_flat(value: object) -> bool:
    """A scalar, a list of scalars or nothing at all: always on one line."""
    if isinstance(value, list | tuple):
        return not any(isinstance(item, list | tuple | Mapping) for item in value)
    return not isinstance(value, Mapping) or not value


def written(value: object, *, flow: bool = False) -> str:
    """A value on one line; `flow`: between brackets."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(written(item, flow=True) for item in value)}]"
    if isinstance(value, Mapping):
        items = (f"{_string(key, flow=True, key=True)}: {written(item, flow=True)}" for key, item in value.items())
        return f"{{{', '.join(items)}}}"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):  # by float's own repr: that of NumPy's float64 is no number
        return float.__repr__(value) if math.isfinite(value) else _INFINITE[float.__repr__(value)]
    if isinstance(value, int):
        if abs(value) >= 10**DIGITS:
            raise ValueError(f"a config cannot hold an integer of more than {DIGITS} digits")
        return int.__repr__(value)
    return _string(value, flow=flow)


def _string(value: object, *, flow: bool = False, key: bool = False) -> str:
    """A string, in double quotes where YAML would read something else without; `flow`: between brackets; `key`:
    it may look like a key and a value without a space between them.
    """
    if not isinstance(value, str):
        raise TypeError(f"a config cannot hold a value of type {type(value).__name__}")
    text = str.__str__(value)
    text.encode()  # half a character cannot be written; this says so
    plain = not (
        _QUOTED.search(text)
        or UNPRINTABLE.search(text)
        or (flow and _BRACKETS.search(text))
        or (key and GLUED.match(text))
    )
    if plain and is_string(text):
        return text
    return UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(text, ensure_ascii=False))
