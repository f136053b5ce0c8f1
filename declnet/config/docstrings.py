"""What the docstring of a component says, in pieces: they are the reference, and nothing is written twice."""

from __future__ import annotations

import inspect
import re

from declnet.core.component import Component

_PARAMETERS = re.compile(r"^Parameters:\n((?: .*\n?|\n)*)", re.M)
_ENTRY = re.compile(r"^ {4}(\w+(?:, \w+)*): (.*(?:\n {5,}.*)*)", re.M)


def summary(cls: type[Component]) -> str:
    """What a component is: the first paragraph."""
    return _line(_text(cls).split("\n\n", 1)[0])


def arguments(cls: type[Component]) -> dict[str, str]:
    """What is said of each argument; `weight (learned)` and the like are none."""
    section = _PARAMETERS.search(_text(cls))
    entries = _ENTRY.findall(section[1]) if section else []
    return {name: _line(text) for names, text in entries for name in names.split(", ")}


def _text(cls: type[Component]) -> str:
    """The docstring of the class itself: that of its base, which `inspect.getdoc` would take, is about another."""
    return inspect.cleandoc(cls.__doc__ or "")


def _line(text: str) -> str:
    return " ".join(text.split())
