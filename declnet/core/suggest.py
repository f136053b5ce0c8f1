"""Near names: what somebody probably meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

SHOWN = 8
"""Names that a message lists at most."""


def distance(a: str, b: str, limit: int) -> int:
    """Edits from one word to the other (insert, delete, replace, swap neighbours); limit + 1 where more."""
    if abs(len(a) - len(b)) > limit:
        return limit + 1
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, previous, row = row, before, [i]
        for j, y in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, previous[j - 2] + 1)
            row.append(cost)
    return min(row[-1], limit + 1)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that differs only in case, else the one at most two edits away; None where none is.

    A word of up to three letters may differ by one edit, and a single letter by none: more would be most of it.
    """
    names = list(known)
    for name in names:
        if name.lower() == word.lower():
            return name
    limit = 0 if len(word) == 1 else 1 if len(word) <= 3 else 2
    near = [(distance(word.lower(), name.lower(), limit), name) for name in names]
    return min((pair for pair in near if pair[0] <= limit), default=(0, None), key=lambda pair: pair[0])[1]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'ReLU'?`, or nothing."""
    name = nearest(word, known)
    return f"; did you mean {name!r}?" if name else ""


def like_pattern(pattern: str, names: Iterable[str]) -> str:
    """`; did you mean '*.bias'?`: a name, or the pattern for the last part of some; or what there is."""
    known = list(names)
    near = did_you_mean(pattern, [*known, *dict.fromkeys(f"*.{name.rpartition('.')[2]}" for name in known)])
    return near or f"; there is {some(known)}"


def any_of(words: Iterable[object], last: str = "or") -> str:
    """`a, b or c`; of no words `nothing`."""
    *most, end = map(str, [*words] or ["nothing"])
    return f"{', '.join(most)} {last} {end}" if most else end


def some(names: Sequence[str], last: str = "and") -> str:
    """Names as a message lists them: not more than it can show."""
    return any_of(names if len(names) <= SHOWN else [*names[:SHOWN], f"{len(names) - SHOWN} more"], last)
