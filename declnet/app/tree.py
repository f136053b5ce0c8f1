"""How a tree looks: by Rich on a terminal, with lines of plain text elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from declnet.app.output import write, written
from declnet.records import record

if TYPE_CHECKING:
    from rich.tree import Tree

LINES = ("├─ ", "│  ", "└─ ")
ASCII = ("|- ", "|  ", "`- ")
"""Before a branch, before what hangs on it while others follow, and before the last branch."""


@record
class Branch:
    """One entry of a tree: its name and what it is on one line, its details on lines below."""

    name: str
    text: str = ""
    details: str = ""
    branches: Sequence[Branch] = ()


def tree(roots: Sequence[Branch]) -> None:
    """Print trees to stdout, one after another."""
    if sys.stdout.isatty():
        _rich_tree(roots)
        return
    strokes = _strokes()
    write("\n".join(line for root in roots for line in _lines(root, strokes)))


def _strokes() -> tuple[str, str, str]:
    """Lines, where the encoding of stdout has them."""
    try:
        "".join(LINES).encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return ASCII
    return LINES


def _lines(branch: Branch, strokes: tuple[str, str, str], first: str = "", rest: str = "") -> Iterator[str]:
    tee, bar, corner = strokes
    yield f"{first}{branch.name}{branch.text}"
    for line in branch.details.splitlines():
        yield f"{rest}{bar if branch.branches else '   '}{line}"
    for number, inner in enumerate(branch.branches, 1):
        last = number == len(branch.branches)
        yield from _lines(inner, strokes, rest + (corner if last else tee), rest + ("   " if last else bar))


def _rich_tree(roots: Sequence[Branch]) -> None:
    from rich.console import Console
    from rich.text import Text
    from rich.tree import Tree

    def label(branch: Branch) -> Text:
        details = [("\n", ""), (branch.details, "dim")] if branch.details else []
        return Text.assemble((branch.name, "bold"), branch.text, *details)

    def grow(drawn: Tree, branches: Sequence[Branch]) -> Tree:
        for branch in branches:
            grow(drawn.add(label(branch)), branch.branches)
        return drawn

    console = Console()
    with written():
        for root in roots:
            console.print(grow(Tree(label(root), guide_style="dim"), root.branches))
