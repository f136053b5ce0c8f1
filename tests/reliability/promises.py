"""All promises, in the order of docs/reliability.md: a new one is an entry in the `PROMISES` of its file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from reliability import bad_input, crashes, divergence, fuzzing, hostile, limits, repeated, writers
from reliability.promise import Promise

SECTIONS: Final[Mapping[str, Sequence[Promise]]] = {
    "Bad input": bad_input.PROMISES,
    "Hostile checkpoints and data": hostile.PROMISES,
    "Fuzzing": fuzzing.PROMISES,
    "Crashes": crashes.PROMISES,
    "One writer": writers.PROMISES,
    "Divergence": divergence.PROMISES,
    "Limits": limits.PROMISES,
    "Determinism and long runs": repeated.PROMISES,
}
"""The headings of the page, and what is below each."""

PROMISES: Final = {promise.name: promise for promises in SECTIONS.values() for promise in promises}
