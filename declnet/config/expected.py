"""Types and values in words: what a key takes, and what it was given."""

from __future__ import annotations

import math
import types
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from declnet.core.component import Component
from declnet.core.metric import Measure
from declnet.core.suggest import any_of
from declnet.core.wrapper import Node
from declnet.errors import Path

_WORDS: dict[object, str] = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    bool: "true or false",
    type(None): "null",
    FilePath: "a path",
    Node: "a component",
    Measure: "a metric",
}


@dataclass(frozen=True)
class Words:
    """Beside a type, what messages say that it takes."""

    text: str


LONGEST = 40
"""Characters of a value that a message quotes."""


def plain_type(annotation: Any) -> Any:
    """The type without its constraints: `Annotated[float, ...]` is float."""
    return plain_type(get_args(annotation)[0]) if get_origin(annotation) is Annotated else annotation


def members(annotation: Any) -> tuple[Any, ...]:
    """The members of a union; of anything else, itself."""
    annotation = plain_type(annotation)
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(member for arg in get_args(annotation) for member in members(arg))
    return (annotation,)


def type_at(annotation: Any, path: Path) -> Any:
    """The type of an item inside a list or a mapping."""
    for part in path:
        for member in members(annotation):
            arguments = get_args(member)
            if get_origin(member) is dict:
                annotation = arguments[1]
            elif get_origin(member) is tuple and isinstance(part, int):
                annotation = arguments[0] if arguments[-1] is Ellipsis else arguments[part]
    return annotation


def choices(annotation: Any) -> list[str]:
    """The texts that a type lets one choose from."""
    literals = [get_args(member) for member in members(annotation) if get_origin(member) is Literal]
    return [value for values in literals for value in values if isinstance(value, str)]


def in_words(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """A type as a user reads it: `a number, at least 0, or null`, `a list of 2 numbers`, `'mean' or 'sum'`."""
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        if (said := _said(annotation)) is not None:
            return said
        return in_words(inner, [*metadata, *more])
    if get_origin(annotation) in (Union, types.UnionType):
        for part in get_args(annotation):
            if (said := _said(part)) is not None:
                return said  # what can also be left out is not said to take null
        parts: list[str] = []
        for part in get_args(annotation):
            parts += map(repr, get_args(part)) if get_origin(part) is Literal else [in_words(part)]
        comma = "," if any(", " in part for part in parts) else ""
        return f"{', '.join(parts[:-1])}{comma} or {parts[-1]}"
    return _one(annotation) + limits(metadata)


def _said(annotation: Any) -> str | None:
    """The words that stand beside a type, where there are any."""
    return next((item.text for item in get_args(annotation)[1:] if isinstance(item, Words)), None)


def _one(kind: Any) -> str:
    arguments = get_args(kind)
    if get_origin(kind) is Literal:
        return any_of(repr(value) for value in arguments)
    if get_origin(kind) is tuple:
        item = in_words(arguments[0])
        count = "" if arguments[-1] is Ellipsis else f"{len(arguments)} "
        noun, _, rest = item.partition(",")
        nouns = noun.partition(" ")[2] if len(arguments) == 1 else _plural(noun)
        return f"a list of {count}{nouns}{',' + rest if rest else ''}"
    if get_origin(kind) is dict:
        return "a mapping"
    if isinstance(kind, type) and issubclass(kind, Component):
        return a(kind.__name__.lower())
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return "a mapping"
    return _WORDS.get(kind, str(getattr(kind, "__name__", kind)))


def _plural(noun: str) -> str:
    """`a whole number` is `whole numbers`, `a list of numbers` is `lists of numbers`."""
    article, _, rest = noun.partition(" ")
    head, of, what = rest.partition(" of ")
    return f"{head}s{of}{what}" if article in ("a", "an") else noun


def limits(metadata: Sequence[Any]) -> str:
    """The range of a number: `, at least 0, at most 1`."""
    words = {"ge": "at least", "gt": "greater than", "le": "at most", "lt": "less than"}
    flat = [one for item in metadata for one in getattr(item, "metadata", (item,))]  # a Field holds its own
    return "".join(f", {words[key]} {getattr(item, key):g}" for item in flat for key in words if hasattr(item, key))


def a(noun: str) -> str:
    """`a loss`, `an optimizer`."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def got(value: object) -> str:
    """A value as a message quotes it."""
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        text = "[" + ", ".join(got(item) for item in value) + "]"
        return text if len(text) <= LONGEST else f"a list of {len(value)}"
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
