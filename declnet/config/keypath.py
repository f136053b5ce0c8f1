"""Key paths as users write them: `model.encoder.layers[0].out_features`, on the command line and in `${...}`."""

from __future__ import annotations

import re

from declnet.config.document import Value, clip

_SEGMENT = re.compile(r"[^\[\]]+((?:\[-?[0-9]{1,9}\])*)")
_INDEX = re.compile(r"-?[0-9]{1,9}")

SHOWN = 20
"""Names that a message lists at most."""

Part = str | int
"""A key, or the number or the name of an item of a list; what stands in brackets is a number."""


class PathError(Exception):
    """Not a path, or one that leads nowhere: what is wrong, and where in the text."""

    def __init__(self, message: str, offset: int = 0) -> None:
        """Take both."""
        super().__init__(message)
        self.message, self.offset = message, offset


def split(text: str) -> list[tuple[Part, int]]:
    """The parts of a path, each with its offset in the text. PathError where one is missing or misspelt."""
    parts: list[tuple[Part, int]] = []
    offset = 0
    for segment in text.split("."):
        if not (match := _SEGMENT.fullmatch(segment)):
            message = "a part of the path is missing here" if not segment else "write the item of a list as name[0]"
            raise PathError(message, offset)
        parts.append((segment[: match.start(1)], offset))
        brackets = _INDEX.finditer(segment, match.start(1))
        parts += [(int(number[0]), offset + number.start() - 1) for number in brackets]
        offset += len(segment) + 1
    return parts


def index(node: tuple[Value, ...], part: Part) -> int:
    """Which item of a list is meant, by its number or its `name`. PathError where there is none."""
    if isinstance(part, int) or _INDEX.fullmatch(part):
        if not 0 <= int(part) < len(node):
            raise PathError(f"there is no item {int(part)}; {_indices(node)}")
        return int(part)
    names = [item.get("name") if isinstance(item, dict) else None for item in node]
    if part in names:
        return names.index(part)
    known = ", ".join(f"'{clip(name)}'" for name in names[:SHOWN] if isinstance(name, str))
    there = f"the names are {known}" if known else f"no item has a name, and {_indices(node)}"
    raise PathError(f"no item is named '{clip(part)}'; {there}")


def _indices(node: tuple[Value, ...]) -> str:
    return f"the indices are 0 to {len(node) - 1}" if node else "the list is empty"
