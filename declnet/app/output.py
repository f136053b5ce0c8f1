"""How results look: tables by Rich on a terminal, aligned text elsewhere."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def table(title: str, headers: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> None:
    """Print a table to stdout; the columns in `left` are texts, the others numbers, set flush right."""
    if sys.stdout.isatty():
        _rich_table(title, headers, rows, left)
        return
    lines = [list(headers), *map(list, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(headers))]
    print(title)
    for line in lines:
        cells = [c.ljust(w) if i in left else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True))]
        print("  ".join(cells).rstrip())


def _rich_table(title: str, headers: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    console.print(Text(title, style="bold"))
    drawn = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for index, header in enumerate(headers):
        drawn.add_column(header, justify="left" if index in left else "right", overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    console.print(drawn)


def print_json(value: object) -> None:
    """Print a result for programs: one JSON value, strictly standard (no NaN)."""
    print(json.dumps(value, indent=2, allow_nan=False))


def width() -> int:
    """Columns of the terminal; 80 where there is none."""
    return shutil.get_terminal_size().columns


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
