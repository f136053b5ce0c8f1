"""All promises, in the order of docs/reliability.md: a new one is an entry in the `PROMISES` of its file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from reliability.promise import Promise

SECTIONS: Final[Mapping[str, Sequence[Promise]]] = {}
"""The headings of the page, and what is below each."""

PROMISES: Final = {promise.name: promise for promises in SECTIONS.values() for promise in promises}
