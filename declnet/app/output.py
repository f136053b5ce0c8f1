"""How results look: tables by Rich on a terminal, aligned text elsewhere."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from declnet.errors import MachineError

if TYPE_CHECKING:
    from rich.console import Console

_TEXT = 8
"""Columns that a text in a table is given at least."""
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def write(text: str = "") -> None:
    """Print a line of a result to stdout. MachineError where nobody takes it."""
    with written():
        print(text)


def paragraph(text: str) -> None:
    """Print a sentence to stdout; on a terminal, lines are broken between words."""
    if not sys.stdout.isatty():
        write(text)
        return
    from rich.console import Console
    from rich.text import Text

    with written():
        Console().print(Text(text))


@contextmanager
def written(stream: Literal["stdout", "stderr"] = "stdout") -> Iterator[None]:
    """Turn what a stream refuses into a MachineError; a reader that has gone away is told nothing."""
    try:
        yield
        getattr(sys, stream).flush()
    except OSError as error:
        # What is still in the buffer goes nowhere, or Python complains about it when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), {"stdout": 1, "stderr": 2}[stream])
        gone = isinstance(error, BrokenPipeError)
        raise MachineError(*[] if gone else [f"cannot write to {stream}: {error.strerror}"]) from error


def table(
    title: str,
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    left: Sequence[int] = (0,),
    spare: Sequence[int] = (),
) -> None:
    """Print a table to stdout; the columns in `left` are texts, the others numbers, set flush right. Where a
    terminal is too narrow, columns in `spare` are left out, the first one first, and then texts are broken, but for
    the first of a row, which is its name.
    """
    if sys.stdout.isatty():
        _rich_table(title, headers, rows, left, spare)
        return
    lines = [list(headers), *map(list, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(headers))]
    write(title)
    for line in lines:
        cells = [c.ljust(w) if i in left else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True))]
        write("  ".join(cells).rstrip())


def _rich_table(
    title: str,
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    left: Sequence[int],
    spare: Sequence[int],
) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    with written():
        console.print(Text(title, style="bold"))
        kept = _kept(headers, rows, left, spare, console.width)
        if not kept:
            _records(console, headers, rows)
            return
        drawn = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
        for index in kept:
            justify: Literal["left", "right"] = "left" if index in left else "right"
            drawn.add_column(headers[index], justify=justify, overflow="fold", no_wrap=not _breaks(index, left))
        for row in rows:
            drawn.add_row(*(Text(row[index]) for index in kept))
        console.print(drawn)


def _breaks(index: int, left: Sequence[int]) -> bool:
    return index > 0 and index in left


def _kept(
    headers: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int], spare: Sequence[int], width: int
) -> list[int]:
    """The columns for which there is room if texts are folded, and names and numbers are not; none where even
    without the spare ones there is too little.
    """
    widths = {
        index: _TEXT if _breaks(index, left) else max(map(len, (header, *(row[index] for row in rows))))
        for index, header in enumerate(headers)
    }
    rest = list(spare)
    while sum(widths.values()) + 2 * (len(widths) - 1) > width:
        if not rest:
            return []
        del widths[rest.pop(0)]
    return list(widths)


def _records(console: Console, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Each row as a paragraph of its own, where there is no room for columns."""
    from rich.padding import Padding
    from rich.text import Text

    for first, *cells in rows:
        console.print(Text(first or headers[0], style="bold"))
        named = (f"{header} {cell}" for header, cell in zip(headers[1:], cells, strict=True) if cell)
        console.print(Padding(Text(", ".join(named)), (0, 0, 0, 2)))


def print_json(value: object) -> None:
    """Print a result for programs: one JSON value, strictly standard (no NaN)."""
    write(json.dumps(value, indent=2, allow_nan=False))


def size(nbytes: float) -> str:
    """Bytes in binary units: `144.6 KiB`."""
    unit = 0
    while nbytes >= 1024 and unit < len(_UNITS) - 1:
        nbytes /= 1024
        unit += 1
    return f"{nbytes:.1f} {_UNITS[unit]}" if unit else f"{nbytes:.0f} B"


def count(number: int) -> str:
    """A whole number with thousands set apart: `26,122`."""
    return f"{number:,}"


def figure(value: float | None) -> str:
    """A loss or a metric: four significant places, six where it is small; None where it is no finite number."""
    if value is None:
        return "not finite"
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 or value == 0 else f"{value:.4g}"
