"""Texts met one after another, each different one kept once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import count
from typing import Final

import numpy as np

from declnet.core.spec import Array
from declnet.core.transform import MISSING, Texts

CODES: Final = "i"
"""What the numbers are: integers of C, in NumPy and in `array`."""


class Dictionary:
    """Numbers texts, without the spaces around them, in the order in which they are met."""

    def __init__(self, missing: Iterable[str] = ("",)) -> None:
        """`missing` are the texts that stand for a missing one."""
        self._codes: defaultdict[str, int] = defaultdict(count().__next__)
        self._codes.update(dict.fromkeys((text.strip() for text in missing), MISSING))

    def encode(self, texts: Sequence[str]) -> Array:
        """The number of each text, MISSING where one is missing."""
        return np.fromiter(map(self._codes.__getitem__, map(str.strip, texts)), CODES, len(texts))

    def rows(self, codes: Array) -> Texts:
        """What numbers stand for, with the texts that have been met."""
        return Texts(codes, np.array([text for text, code in self._codes.items() if code != MISSING], np.str_))
