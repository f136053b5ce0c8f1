"""Matrices of counts on a screen."""

from __future__ import annotations

from declnet.app.output import count, table, write

LARGEST = 20
"""Rows of a matrix that is printed at most."""


def show_matrix(title: str, axes: tuple[str, str], counts: list[list[int]], elsewhere: str) -> None:
    """A matrix of counts as a table, unless it is too large to be read as one; `elsewhere` it is whole."""
    if len(counts) > LARGEST:
        write(f"{title}: {count(len(counts))} rows and columns, {elsewhere}")
        return
    rows, columns = axes
    lines = [(str(index), *map(count, line)) for index, line in enumerate(counts)]
    table(
        f"{title}: a row for each {rows}, a column for each it was {columns}",
        (rows, *map(str, range(len(counts)))),
        lines,
    )
