"""Text: the characters of a file as integers, in windows, each with the characters that come next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal, final

import numpy as np
from pydantic import Field, PositiveInt

from declnet.core.registry import sources
from declnet.core.source import Column, Source
from declnet.core.spec import Array
from declnet.data.files import printable, refusal, unpacked
from declnet.errors import DataError, Diagnostic, Mark

UNICODE = 0x110000
"""How many code points there are."""

SHOWN = 200
"""Characters of a line that a message shows."""


@sources.register
@final
class Text(Source):
    """A text's characters in windows, each with the same window one character further on: for language models.

    The file is UTF-8, plain or gzipped, and taken as it is, line ends included. Its different characters, in the
    order of their code points, are numbered from 0: `Text(path=...).vocabulary()` lists them, so that numbers can
    be turned into text again. How many there are takes a pass over the file, which `declnet validate` does not
    make; training does, and where the model's output has too few classes the message says how many there are.

    With a stride below the length windows overlap, and rows that are drawn to be tested on hold characters that
    were trained on; so the stride is the length where nothing is said. `data.split.method: ordered` tests on the
    end of the text.

    Shape:
        window: (length,) integers, the characters from the window's start.
        next: (length,) integers, the characters that follow each of these.

    Parameters:
        path: the file; a relative path starts at the config's folder.
        length: characters in a window.
        stride: characters from the start of a window to that of the next; left out, the length.

    Raises:
        DataError: the file can't be opened, is not UTF-8, or holds less than one window and a character.

    Reference: A. Karpathy, "The Unreasonable Effectiveness of Recurrent Neural Networks", 2015
    """

    inputs: ClassVar[dict[str, str]] = {"x": "window"}
    targets: ClassVar[dict[str, str]] = {"y": "next"}

    type: Literal["Text"] = "Text"
    path: Path
    length: Annotated[int, Field(ge=1, le=1 << 20)] = 128
    stride: PositiveInt | None = None

    def columns(self) -> dict[str, Column]:
        """window and next; the file is opened, and not read."""
        with unpacked(self.path):
            return dict.fromkeys(("window", "next"), Column((self.length,), "int"))

    def read(self, columns: Sequence[str]) -> dict[str, Array]:
        """Views of one array of the characters' numbers, as small integers as hold them."""
        points, alphabet = self._points()
        if len(points) <= self.length:
            raise refusal(
                self.path,
                f"has {len(points):,} characters, and a window with the character that follows takes "
                f"{self.length + 1:,}; lower length",
                ("length",),
            )
        numbers = np.zeros(UNICODE, np.min_scalar_type(len(alphabet) - 1))
        numbers[alphabet] = np.arange(len(alphabet))
        text = numbers[points]
        parts = {"window": text[:-1], "next": text[1:]}
        windows = np.lib.stride_tricks.sliding_window_view
        return {name: windows(parts[name], self.length)[:: self._step] for name in columns}

    def vocabulary(self) -> tuple[str, ...]:
        """The text's different characters, each at the place of its number."""
        return tuple(map(chr, self._points()[1]))

    def class_names(self, column: str) -> tuple[str, ...]:
        """The vocabulary."""
        return self.vocabulary()

    def locate(self, row: int, column: str) -> Mark | None:
        """Where the row's window, or what follows it, begins."""
        text = self._text()
        start = row * self._step + (column == "next")
        return _mark(self.path, text[:start], text[start : start + SHOWN])

    def hint(self, column: str) -> str:
        """How many different characters there are."""
        count = len(self._points()[1])
        return f"; the text has {count:,} different characters, 0 to {count - 1}"

    @property
    def _step(self) -> int:
        return self.length if self.stride is None else self.stride

    def _points(self) -> tuple[Array, Array]:
        """The text's code points, and the different ones among them, in order."""
        points = np.frombuffer(self._text().encode("utf-32-le"), "<u4")
        seen = np.zeros(UNICODE, bool)
        seen[points] = True
        return points, np.flatnonzero(seen)

    def _text(self) -> str:
        with unpacked(self.path) as file:
            data = file.read()
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            mark = _mark(self.path, data[: error.start].decode("utf-8-sig"), "")
            what = f"byte 0x{data[error.start]:02X} is not UTF-8; save the file as UTF-8"
            raise DataError(Diagnostic(what, mark=mark)) from None


def _mark(path: Path, before: str, after: str) -> Mark:
    """The place between two parts of a text, with the line as far as it can be shown."""
    head = before[before.rfind("\n") + 1 :]
    line = printable((head + after).split("\n", 1)[0]) if len(head) < SHOWN else ""
    return Mark(printable(str(path)), before.count("\n") + 1, len(head) + 1, line[:SHOWN])
