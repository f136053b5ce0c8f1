"""Matrices of counts on a screen."""

from __future__ import annotations

from collections.abc import Sequence

from declnet.app.output import count, table, write
from declnet.data.files import printable

LARGEST = 20
"""Rows of a matrix that is printed at most."""


def show_matrix(
    title: str, axes: tuple[str, str], counts: list[list[int]], elsewhere: str, names: Sequence[str] = ()
) -> None:
    """A matrix of counts as a table, unless it is too large to be read as one; `elsewhere` it is whole. `names` are
    those of the classes, as far as they have some.
    """
    if len(counts) > LARGEST:
        write(f"{title}: {count(len(counts))} rows and columns, {elsewhere}")
        return
    rows, columns = axes
    known = [printable(name) for name in names[: len(counts)]]
    titles = known + [str(index) for index in range(len(known), len(counts))]
    lines = [(title, *map(count, line)) for title, line in zip(titles, counts, strict=True)]
    table(
        f"{title}: a row for each {rows}, a column for each it was {columns}",
        (rows, *titles),
        lines,
    )
