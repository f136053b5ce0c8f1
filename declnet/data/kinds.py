"""What a column seems to hold, by what was seen of it: numbers, categories, text, dates, names of rows."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Final, Literal

import numpy as np

from declnet.core.spec import Array
from declnet.core.suggest import some
from declnet.data.files import printable, quote
from declnet.records import record

Kind = Literal["number", "integer category", "text category", "text", "identifier", "date", "constant"]

MISSING: Final = frozenset(("", "NA", "N/A", "NaN", "nan", "NULL", "null", "?"))
"""Cells that stand for a missing value, as programs write them; spaces around them aside."""

KEPT = 1000
"""Different values of a column that are kept: beyond so many it is no category, whatever they are."""

LONG = 200
"""Characters of a value that is kept; a longer one is text to be read."""

SHOWN = 40
"""Characters of a value that a reason shows."""

INTEGERS, TEXTS = 20, 100
"""Different values that a category has at most: integers may as well be counts or measures."""

OFTEN = 5
"""Times that each value of a category comes, on average, at least."""

NUMBERS = 0.9
"""Share of a column's cells from which it is one of numbers, in which some cells say something else."""

DATE = re.compile(r"(\d{4}([-/.])\d\d?\2\d\d?|\d\d?([-/.])\d\d?\3\d{2,4})([T ]\d\d?:\d\d.*)?|\d\d?:\d\d(:\d\d)?")
"""2007-11-25, 2007/11/25 8:30, 25.11.2007, 8:30."""

CODE = re.compile(r"[+-]?0\d")
"""How a code of digits may begin, and no number would be written."""

ROWS = re.compile(r"(?i:(.*[^a-z])?(id|uuid|guid|key)|index|row|row_?id|nr|no)|.*[a-z]I[dD]", re.ASCII)
"""What columns are called that name their rows."""


@record
class Column:
    """A guess at a column, and why. `missing` and `odd` are cells with how often they come: those that stand for a
    missing value, and, among numbers, those that are none. `values` are all different ones where they are few, the
    most frequent first; `low` and `high` the range of the numbers, `skew` how far it reaches to one side: the third
    standardized moment, 0 where both sides are alike.
    """

    name: str
    kind: Kind
    why: str
    missing: Mapping[str, int] = field(default_factory=dict)
    odd: Mapping[str, int] = field(default_factory=dict)
    values: Mapping[str, int] = field(default_factory=dict)
    low: float | None = None
    high: float | None = None
    skew: float | None = None


class Seen:
    """What has been seen of a column so far, in flat memory: counts, a range, values as long as they are few."""

    def __init__(self, name: str) -> None:
        """Nothing yet."""
        self.name = name
        self.rows = self.numbers = self.dates = self.spaced = 0
        self.missing: Counter[str] = Counter()
        self.values: Counter[str] | None = Counter()
        self.odd: Counter[str] = Counter()
        self.repeats = self.coded = False
        self.whole = self.counts = True
        self.low, self.high = math.inf, -math.inf
        self.shift: float | None = None
        self.powers = np.zeros(3)

    def take(self, cells: Sequence[str]) -> None:
        """Look at the next cells."""
        numbers = _numbers(cells)
        if numbers is not None:
            self._measure(numbers)
            if self.values is not None:
                self._keep(Counter(map(str.strip, cells)))
        else:
            self._sort(Counter(map(str.strip, cells)))
        self.rows += len(cells)

    def _measure(self, numbers: Array) -> None:
        """Cells that are all numbers."""
        if self.counts:  # from 0 or 1, the first row's, in steps of 1
            first = numbers[0] if not self.rows else self.high + 1
            self.counts = first in (0, 1) or bool(self.rows)
            self.counts &= bool((numbers == first + np.arange(len(numbers))).all())
        self.numbers += len(numbers)
        self.whole = self.whole and bool((numbers == np.floor(numbers)).all())
        self.low, self.high = min(self.low, float(numbers.min())), max(self.high, float(numbers.max()))
        self._weigh(numbers)

    def _weigh(self, numbers: Array) -> None:
        """Add up powers of how numbers differ from the first: those of the numbers would lose it in rounding."""
        if self.shift is None:
            self.shift = float(numbers[0])
        with np.errstate(over="ignore", invalid="ignore"):  # of too large ones the skew is not known
            away = numbers - self.shift
            self.powers += [away.sum(), (away**2).sum(), (away**3).sum()]

    def _sort(self, cells: Counter[str]) -> None:
        """Cells of all kinds."""
        self.counts = False
        self.missing += Counter({text: count for text, count in cells.items() if text in MISSING})
        there = Counter({text: count for text, count in cells.items() if text not in MISSING})
        numbers: list[float] = []
        for text, count in there.items():
            number = _number(text)
            if number is not None:
                self.numbers += count
                numbers += [number] * count
                self.whole = self.whole and number == math.floor(number)
                self.low, self.high = min(self.low, number), max(self.high, number)
                continue
            self.dates += count if DATE.fullmatch(text) else 0
            self.spaced += count if " " in text else 0
            short = text[:LONG]
            if short in self.odd or len(self.odd) < KEPT:
                self.odd[short] += count
        if numbers:
            self._weigh(np.array(numbers))
        if self.values is not None:
            self._keep(there)

    def _keep(self, cells: Counter[str]) -> None:
        """Add to the different values, until they are too many or too long."""
        if self.values is None:
            raise AssertionError("values are kept while they are few")
        self.coded = self.coded or any(map(CODE.match, cells))
        self.repeats = self.repeats or any(count > 1 or text in self.values for text, count in cells.items())
        self.values += cells
        if len(self.values) > KEPT or any(len(text) > LONG for text in cells):
            self.values = None

    @property
    def there(self) -> int:
        """Cells that are not missing."""
        return self.rows - self.missing.total()

    def judged(self) -> Column:
        """What the column seems to hold."""
        values = self.values
        if not self.there:
            return self._column("constant", "every cell is missing")
        if values is not None and len(values) == 1:
            return self._column("constant", f"every cell that is there is {quote(next(iter(values)))}")
        if not self.coded and self.numbers >= NUMBERS * self.there:
            return self._of_numbers()
        if self.dates == self.there:
            return self._column("date", f"cells such as {quote(next(iter(self.odd)))}")
        if self._is_category(TEXTS):
            return self._column("text category", self._different())
        if not self.repeats and (self._named or self.spaced < self.there / 2):
            return self._column("identifier", "no value comes twice")
        what = (
            "texts of several words"
            if self.spaced >= self.there / 2
            else "more different texts than a category has"
        )
        return self._column("text", f"{what}, such as {quote(self._example())}")

    def _of_numbers(self) -> Column:
        """One of a column in which all cells, or most, are numbers."""
        if self.odd:
            cells = f"{self.there - self.numbers:,} of {self.there:,} cells"
            odd = some([quote(text) for text, _ in self.odd.most_common()])
            return self._column("number", f"{self._range()}; but {cells} are none: {odd}")
        if self.counts:
            return self._column("identifier", "counts the rows")
        if self._named and self.whole and not self.repeats:
            return self._column("identifier", "no value comes twice, and its name says so")
        if self.whole and self._is_category(INTEGERS):
            return self._column("integer category", self._different())
        return self._column("number", self._range())

    @property
    def _named(self) -> bool:
        return ROWS.fullmatch(self.name) is not None

    def _is_category(self, most: int) -> bool:
        return self.values is not None and len(self.values) <= most and self.there >= OFTEN * len(self.values)

    def _different(self) -> str:
        values = sorted(self.values or (), key=_order)
        return f"{len(values)} different values: {some([printable(text[:SHOWN]) for text in values])}"

    def _range(self) -> str:
        return f"{'whole numbers ' * self.whole}from {self.low:.10g} to {self.high:.10g}"

    def _example(self) -> str:
        return next(iter(self.odd or self.values or [""]))

    def _column(self, kind: Kind, why: str) -> Column:
        few = self.values is not None and len(self.values) <= TEXTS
        return Column(
            self.name,
            kind,
            why,
            dict(self.missing.most_common()),
            dict(self.odd.most_common()) if kind == "number" else {},
            dict(self.values.most_common()) if few and self.values is not None else {},
            self.low if self.numbers else None,
            self.high if self.numbers else None,
            self._skew if self.numbers else None,
        )

    @property
    def _skew(self) -> float | None:
        with np.errstate(over="ignore", invalid="ignore"):
            first, second, third = self.powers / self.numbers
            variance, cube = second - first**2, third - 3 * first * second + 2 * first**3
            skew = float(cube / variance**1.5) if variance else 0.0
        return round(skew, 2) if math.isfinite(skew) else None


def _order(text: str) -> tuple[float, str]:
    """Numbers by their size, texts by their letters."""
    number = _number(text)
    return (math.inf if number is None else number, text)


def _numbers(cells: Sequence[str]) -> Array | None:
    """The cells as numbers; None where one is none."""
    try:
        numbers = np.fromiter(map(float, cells), np.float64, len(cells))
    except ValueError:
        return None
    return numbers if np.isfinite(numbers).all() and "_" not in "".join(cells) else None


def _number(text: str) -> float | None:
    """A cell as a number, as a CSV source reads it; None where it is none."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in text else None
