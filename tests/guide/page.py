"""Reads docs/from-pytorch.md: its pairs of code blocks and its tables, each with the check that its mark names.

A mark is an HTML comment before a pair or a table: `<!-- check KIND: tensors -->`. Tensors are written as in the
tables: `x (N, 3), t (N,) of 0..4; targets y (N, 2)`; N is the number of rows that all checks take.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components.cases.case import Draw, Labels, Normal, Shares, Uniform
from declnet.core.spec import Array

GUIDE = Path(__file__).parents[2] / "docs" / "from-pytorch.md"

FREE = ("sh", "text")
"""What blocks hold that no check is for."""

MARK = re.compile(r"<!-- check (\w+)(?:: (.*?))? -->")
FENCE = re.compile(r"```(\w*)")
TENSOR = re.compile(r"(?:(\w+) )?\((N?(?:, ?)?[\d, ]*)\)(?: (of 0\.\.(\d+)|of -1 and 1|from 0 to 1|of shares))?")


@dataclass(frozen=True)
class Pair:
    """Lines of PyTorch and the config lines that say the same; a table's row is a pair of one line each."""

    line: int
    kind: str
    python: str
    yaml: str
    given: str

    def __str__(self) -> str:
        """Where it is, as a test's name."""
        return f"{self.kind}-line-{self.line}"


class Wrong(Exception):  # noqa: N818 - a page is wrong
    """The page breaks its own rules."""


@dataclass(frozen=True)
class Signs:
    """-1 or 1."""

    shape: tuple[int, ...]

    def __call__(self, rng: np.random.Generator) -> Array:
        return np.asarray(rng.choice([-1.0, 1.0], self.shape))


def pairs(text: str) -> list[Pair]:
    """All pairs of a page; Wrong where a block of code or a table of PyTorch's has no check."""
    return list(_Reader(text.splitlines()))


class _Reader:
    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.at = 0

    def __iter__(self) -> Iterator[Pair]:
        """Walk the page; what a mark stands before belongs to it."""
        mark: re.Match[str] | None = None
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if found := MARK.fullmatch(line):
                if mark is not None:
                    raise Wrong(f"line {self.at + 1}: the mark before this one marks nothing")
                mark = found
                self.at += 1
            elif (fence := FENCE.match(line)) or line.startswith("|"):
                yield from self._table(mark) if fence is None else self._blocks(fence[1], mark)
                mark = None
            elif line and mark is not None:
                raise Wrong(f"line {self.at + 1}: a mark stands right before what it marks")
            else:
                self.at += 1
        if mark is not None:
            raise Wrong("the last mark marks nothing")

    def _blocks(self, language: str, mark: re.Match[str] | None) -> Iterator[Pair]:
        start, first = self.at + 1, self._block()
        if mark is None:
            if language not in FREE:
                raise Wrong(f"line {start}: a block of {language} without a check")
            return
        while self.at < len(self.lines) and not self.lines[self.at]:
            self.at += 1
        if language != "python" or self.lines[self.at : self.at + 1] != ["```yaml"]:
            raise Wrong(f"line {start}: a checked block is one of python, followed by one of yaml")
        yield Pair(start, mark[1], first, self._block(), mark[2] or "")

    def _block(self) -> str:
        begin = self.at + 1
        self.at = self.lines.index("```", begin) + 1
        return "\n".join(self.lines[begin : self.at - 1]) + "\n"

    def _table(self, mark: re.Match[str] | None) -> Iterator[Pair]:
        start = self.at
        while self.at < len(self.lines) and self.lines[self.at].startswith("|"):
            self.at += 1
        head, _, *rows = [line.strip("|").split(" | ") for line in self.lines[start : self.at]]
        if mark is None:
            if head[0].strip() == "PyTorch":
                raise Wrong(f"line {start + 1}: a table of PyTorch's without a check")
            return
        for line, cells in enumerate(rows, start + 3):
            python, yaml, *given = [cell.strip() for cell in cells]
            if not all(re.fullmatch(r"`[^`]+`", cell) for cell in (python, yaml)):
                raise Wrong(f"line {line}: a checked row has one piece of code a side")
            yield Pair(line, mark[1], python[1:-1], yaml[1:-1], given[0].replace("`", "") if given else "")


def tensors(given: str, rows: int) -> dict[str, Draw]:
    """How each tensor is drawn, by its name, where N is so many rows; one without a name is x."""
    rest = TENSOR.sub("", given).replace(",", "").strip()
    if rest:
        raise Wrong(f"{given}: cannot be read from {rest!r} on")
    found: dict[str, Draw] = {}
    for name, sizes, what, most in TENSOR.findall(given):
        shape = tuple(rows if size == "N" else int(size) for size in re.findall(r"\w+", sizes))
        found[name or "x"] = _draw(shape, what, most)
    return found


def _draw(shape: tuple[int, ...], what: str, most: str) -> Draw:
    if most:
        return Labels(shape, int(most) + 1)
    if what == "of shares":
        return Shares(shape, 1)
    if what == "from 0 to 1":
        return Uniform(shape, 0.05, 0.95)
    return Signs(shape) if what == "of -1 and 1" else Normal(shape)
