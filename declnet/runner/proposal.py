"""A network for a CSV file: which columns it reads and how, which one it learns, and how it is trained."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from declnet.core.suggest import did_you_mean, some
from declnet.data.files import printable, quote
from declnet.data.guess import Guess
from declnet.data.kinds import Column
from declnet.errors import ConfigError
from declnet.records import record
from declnet.transforms.vocabulary import ordered

SKEWED = 2
"""Skew from which amounts are taken by their logarithm. On California housing, where those of rooms and people have
3 to 5, it lowers the error by 1 to 2 %.
"""

MANY = 12
"""Categories up to which each gets a number of its own; more get vectors that are learned."""

VECTOR = 16
"""Numbers that stand for a category, at most; else half as many as there are categories."""

ODD = 3
"""Different texts among numbers, at most, that are taken for missing values."""

SPARSE = 0.95
"""Share of missing cells above which a column is left out: the training rows may have none that is there."""

FEW = 10
"""Rows without which there is nothing to share out to training, choosing and testing."""

SMALL, LARGE, HUGE = 1000, 10_000, 200_000
"""Rows below which folds test every row, and from which the network is wider, batches are larger, and fewer epochs
have steps enough.
"""

FOLDS = 5
"""Of small files; each fold is tested with a network trained on four fifths of the rows."""

Step = str | Mapping[str, Any]
"""A transform as a config has it."""


@record
class Field:
    """A data field to be: its columns, one or a list, its transforms, and why they are these."""

    name: str
    columns: str | tuple[str, ...]
    transforms: tuple[Step, ...]
    why: tuple[str, ...]
    categories: int = 0
    """Of a field of indices, how many the Embedding needs, that of what is unknown included."""

    @property
    def all(self) -> tuple[str, ...]:
        """The columns, of which there may be one."""
        return (self.columns,) if isinstance(self.columns, str) else self.columns

    @property
    def vector(self) -> str:
        """What the Embedding of its categories is called."""
        return f"{self.name}_vector"

    @property
    def size(self) -> int:
        """Numbers that stand for a category."""
        return min(VECTOR, self.categories // 2)

    @property
    def steps(self) -> str:
        """The transforms in short: `Impute, Standardize`."""
        return ", ".join(step if isinstance(step, str) else str(step["type"]) for step in self.transforms)


@record
class Training:
    """How wide the network is, and how it is trained. Epochs without an improvement: `halve` are borne before the
    rate is halved, and with `patience` of them the run ends.
    """

    hidden: int
    batch_size: int
    epochs: int
    halve: int
    patience: int
    folds: int | None = None


@record
class Proposal:
    """A network for a file. `left` are the columns that it does not read, with what would make it; `missing` the
    cells that stand for a missing value; `classes` are empty where a number is learned.
    """

    guess: Guess
    inputs: tuple[Field, ...]
    target: Field
    classes: tuple[str, ...]
    left: tuple[tuple[Column, str], ...]
    missing: tuple[str, ...]
    training: Training

    @property
    def learns(self) -> str:
        """What is learned, in a sentence."""
        name = printable(self.target.all[0])
        if not self.classes:
            return f"the number {name}"
        return f"the {len(self.classes)} classes of {name}, {some([printable(text) for text in self.classes])}"

    def use(self, column: Column) -> str:
        """What becomes of a column, in a few words."""
        if column.name in self.target.all:
            return f"target: {self.target.steps}"
        field = next((field for field in self.inputs if column.name in field.all), None)
        return "left out" if field is None else f"{field.name}: {field.steps}"


def propose(guess: Guess, target: str) -> Proposal:
    """A network that learns a column of a file from the others.

    Raises:
        ConfigError: there is no such column, or it cannot be learned, or there is nothing to learn it from.
    """
    column = _column(guess, target)
    if guess.rows < FEW:
        rows = "1 row" if guess.rows == 1 else f"{guess.rows} rows"
        raise ConfigError(f"{_of(guess)} has {rows}: too few to train and to test, which takes {FEW}")
    _require_learnable(column)
    others = [item for item in guess.columns if item is not column]
    taken = {"input"}  # what a block of nodes calls its own input
    classes = tuple(ordered(column.values)) if column.kind != "number" else ()
    inputs, left = _inputs(guess, column, _namer(taken, reserved=_identifier(target)))
    if not inputs:
        raise ConfigError(
            f"{_of(guess)}: beside {quote(target)} there is no column to learn it from: "
            + some([f"{printable(item.name)} is {_a(item.kind)}" for item in others] or ["it is the only one"])
        )
    used = {name for field in inputs for name in field.all}
    marks = dict[str, int]()
    for item in others:
        for text, count in (*item.missing.items(), *item.odd.items()) if item.name in used else ():
            marks[text] = marks.get(text, 0) + count
    missing = tuple(sorted({"": 0} | marks, key=lambda text: (text != "", -marks.get(text, 0), text))) * bool(marks)
    learned = _target(_namer(taken)(target), column, classes)
    return Proposal(guess, tuple(inputs), learned, classes, tuple(left), missing, _training(guess.rows))


def _column(guess: Guess, target: str) -> Column:
    names = [column.name for column in guess.columns]
    if target not in names:
        near = did_you_mean(target, names) or f"; there is {some([printable(name) for name in names])}"
        raise ConfigError(f"--target: {_of(guess)} has no column {quote(target)}{near}")
    return guess.columns[names.index(target)]


def _require_learnable(column: Column) -> None:
    """Refuse a target that no network can learn."""
    why = {
        "constant": f"has one class or value only: {column.why}; there is nothing to tell apart",
        "identifier": f"names rows ({column.why}): what is learned of some says nothing of others",
        "date": f"holds dates ({column.why}): make a number of it first, such as days since the first",
        "text": f"holds {column.why}: a class needs more rows, a number no letters",
    }
    what = why.get(column.kind)
    if what is None and column.odd:
        what = f"is to be a number, and {column.why.partition('; but ')[2]}"
    if what is None and column.missing:
        cells = sum(column.missing.values())
        rows, them = ("1 row", "it") if cells == 1 else (f"{cells:,} rows", "them")
        marks = some([quote(text) for text in column.missing if text])
        which = f" ({marks})" * any(column.missing)
        what = f"is missing in {rows}{which}: a row to learn from needs it; take {them} out of the file"
    if what is not None:
        raise ConfigError(f"--target: column {quote(column.name)} {what}")


def _a(kind: str) -> str:
    return kind if kind in ("text", "constant") else f"a{'n' * (kind[0] in 'aeiou')} {kind}"


def _of(guess: Guess) -> str:
    return printable(str(guess.path))


def _identifier(text: str) -> str:
    name = re.sub(r"\W", "_", text)
    return name if name.isidentifier() else f"_{name}"


def _namer(taken: set[str], reserved: str | None = None) -> Callable[[str], str]:
    """Gives fields names, each another; none gets the one that is kept for the target."""

    def name(text: str) -> str:
        stem = found = _identifier(text)
        number = 1
        while found in taken or found == reserved or f"{found}_vector" in taken:
            number += 1
            found = f"{stem}_{number}"
        taken.update((found, f"{found}_vector"))
        return found

    return name


def _inputs(
    guess: Guess, target: Column, name: Callable[[str], str]
) -> tuple[list[Field], list[tuple[Column, str]]]:
    """The fields that are read, and the columns that are not."""
    texts = {text for column in guess.columns if column.kind == "text category" for text in column.values}
    left: list[tuple[Column, str]] = []
    numbers: list[Column] = []
    categories: list[Column] = []
    for column in guess.columns:
        if column is target:
            continue
        if column.kind != "constant" and sum(column.missing.values()) > SPARSE * guess.rows:
            left.append((column, "Nearly all of its cells are missing."))
        elif column.kind == "text category":
            categories.append(column)
        elif column.kind in ("number", "integer category") and not (
            len(column.odd) > ODD or texts.intersection(column.odd)  # a text that is a category is missing nowhere
        ):
            numbers.append(column)
        else:
            left.append((column, _instead(column)))
    amounts = [column for column in numbers if _is_amount(column)]
    plain = [column for column in numbers if column not in amounts]
    found = [
        *([_numbers(name("numbers"), plain)] if plain else []),
        *([_numbers(name("amounts"), amounts, "Log1p")] if amounts else []),
        *(_category(name(column.name), column) for column in categories),
    ]
    return found, left


def _is_amount(column: Column) -> bool:
    """Whether its logarithm is nearer to a bell than it is itself."""
    return column.low is not None and column.low >= 0 and column.skew is not None and column.skew > SKEWED


def _numbers(name: str, columns: Sequence[Column], *before: Step) -> Field:
    gaps = [printable(column.name) for column in columns if column.missing or column.odd]
    codes = [printable(c.name) for c in columns if c.kind == "integer category" and len(c.values) > 2]
    fill: list[Step] = [{"type": "Impute", "strategy": "median"}] if gaps else []
    why = ["Amounts, most of them small and a few very large: their logarithms say more."] if before else []
    if gaps:
        why.append(f"The median of the training rows stands in for missing cells, of {some(gaps)}.")
    why.append("Standardize: mean 0, standard deviation 1.")
    if codes:
        one_hot = "a field of its own with {type: OneHot, categories: ...}"
        why.append(f"Where whole numbers are names of something ({some(codes)}?): {one_hot}.")
    return Field(name, tuple(column.name for column in columns), (*fill, *before, "Standardize"), tuple(why))


def _category(name: str, column: Column) -> Field:
    """Numbers for the categories, or indices of vectors where they are many."""
    values = ordered(column.values)
    if len(values) > MANY:
        step = {"type": "Category", "categories": len(values)}
        numbered = f"{len(values)} categories, numbered from 1; 0 stands for one that is missing or not among them."
        return Field(name, column.name, (step,), (numbered,), len(values) + 1)
    one_hot = {"type": "OneHot", "categories": values}
    why: tuple[str, ...] = ("OneHot: 1 for the category of the row, 0 for the others.",)
    if not column.missing:
        return Field(name, column.name, (one_hot,), why)
    fill = next(text for text in ("missing", "not_given", *map(str, range(MANY + 1))) if text not in values)
    why += (f"A missing cell is none of them: {fill!r} is not listed, so all are 0.",)
    return Field(name, column.name, ({"type": "Impute", "strategy": "constant", "value": fill}, one_hot), why)


def _instead(column: Column) -> str:
    """What would make a network read a column that is left out."""
    if column.odd:
        return "List in `missing` what stands for no number, and put the column among the numbers."
    return {
        "identifier": "What no two rows share teaches nothing. If it is a measure, put it among the numbers.",
        "date": "Make numbers of it, such as the month or the days since the first, in columns of their own.",
        "constant": "It tells nothing apart.",
    }.get(
        column.kind,
        "If some come often, it is a category: {transforms: [Category]}, and an Embedding of so many and one.",
    )


def _target(name: str, column: Column, classes: Sequence[str]) -> Field:
    if not classes:
        units = "Learned as mean 0, standard deviation 1; metrics and predictions are in its own units."
        return Field(name, (column.name,), ("Standardize",), (units,))
    why: tuple[str, ...] = ("The classes by name, as predictions and probabilities are called.",)
    if column.kind == "integer category":
        why += (
            "To learn it as a number: columns in a list, [Standardize], and at the end one output and MSELoss.",
        )
    return Field(name, column.name, ({"type": "ClassLabels", "classes": [*classes]},), why)


def _training(rows: int) -> Training:
    """By the number of rows: every row is seen often, and no more often than it takes."""
    if rows < SMALL:
        return Training(hidden=32, batch_size=16, epochs=100, halve=5, patience=20, folds=FOLDS)
    if rows < LARGE:
        return Training(hidden=64, batch_size=32, epochs=60, halve=5, patience=15)
    if rows < HUGE:
        return Training(hidden=128, batch_size=128, epochs=60, halve=5, patience=15)
    return Training(hidden=128, batch_size=512, epochs=30, halve=2, patience=8)
