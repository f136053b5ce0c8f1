"""How results look: tables by Rich on a terminal, aligned text elsewhere."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from declnet.errors import MachineError

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def write(text: str = "") -> None:
    """Print a line of a result to stdout. MachineError where nobody takes it."""
    with written():
        print(text)


@contextmanager
def written() -> Iterator[None]:
    """Turn what stdout refuses into a MachineError; a reader that has gone away is told nothing."""
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        # What is still in the buffer goes nowhere, or Python complains about it when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        gone = isinstance(error, BrokenPipeError)
        raise MachineError(*[] if gone else [f"cannot write to stdout: {error.strerror}"]) from error


def table(title: str, headers: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> None:
    """Print a table to stdout; the columns in `left` are texts, the others numbers, set flush right."""
    if sys.stdout.isatty():
        _rich_table(title, headers, rows, left)
        return
    lines = [list(headers), *map(list, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(headers))]
    write(title)
    for line in lines:
        cells = [c.ljust(w) if i in left else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True))]
        write("  ".join(cells).rstrip())


def _rich_table(title: str, headers: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for index, header in enumerate(headers):
        drawn.add_column(header, justify="left" if index in left else "right", overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    console = Console()
    with written():
        console.print(Text(title, style="bold"))
        console.print(drawn)


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


def figure(value: float) -> str:
    """A loss or a metric: four significant places, six where it is small."""
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 or value == 0 else f"{value:.4g}"
