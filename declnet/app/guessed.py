"""What a CSV file seems to hold, as a table."""

from __future__ import annotations

from collections.abc import Callable

from declnet.app.output import count, table
from declnet.data.files import printable, quote
from declnet.data.guess import Guess
from declnet.data.kinds import Column


def show_guess(guess: Guess, use: Callable[[Column], str] | None = None) -> None:
    """A line for each column: its kind, why, how many cells are missing, and as what; and its `use`, where that is
    known.
    """
    headers = ["column", "seems to be", "because", "missing"]
    rows = [[printable(column.name), column.kind, column.why, _missing(column)] for column in guess.columns]
    if use is not None:
        headers.append("becomes")
        rows = [[*row, use(column)] for row, column in zip(rows, guess.columns, strict=True)]
    delimiter = "" if guess.delimiter == "," else f", set apart by {quote(guess.delimiter)}"
    title = f"{printable(str(guess.path))}: {count(guess.rows)} rows of {len(rows)} columns{delimiter}"
    table(title, headers, rows, left=range(len(headers)))


def _missing(column: Column) -> str:
    """`8 (NA)`: how many cells, and what stands for them where they are not empty."""
    marks = ", ".join(text for text in column.missing if text)
    total = sum(column.missing.values())
    return "" if not total else f"{count(total)} ({marks})" if marks else count(total)
