"""Pairs and Triplets: rows of another source put together by their classes, for metric learning."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal, final

import numpy as np
from pydantic import NonNegativeInt

from declnet.core.registry import sources
from declnet.core.source import Asked, Column, Source
from declnet.core.spec import Array
from declnet.core.suggest import any_of
from declnet.core.transform import Rows, Texts
from declnet.errors import DataError, Diagnostic, Mark

Numbers = dict[str, Array]
"""Row numbers of the other source, by the member of a tuple they are for."""


class _Tuples(Source, ABC):
    """Tuples of rows. No row is in two of them, so what is tested on was never trained on."""

    members: ClassVar[tuple[str, ...]]

    source: Source
    label: str = "label"
    seed: NonNegativeInt = 0

    def columns(self) -> dict[str, Column]:
        """The other source's columns, once for each member."""
        known = self.source.columns()
        if self.label not in known or known[self.label].shape:
            singles = [name for name, column in known.items() if not column.shape]
            raise DataError(
                Diagnostic(
                    f"the source has no column {self.label!r} of classes; there is {any_of(singles)}", ("label",)
                )
            )
        return {f"{member}_{name}": column for member in self.members for name, column in known.items()}

    def describe(self, columns: Sequence[str]) -> dict[str, Column]:
        """What the other source says of the members' columns."""
        split = {name: name.split("_", 1)[1] for name in columns if name.split("_", 1)[0] in self.members}
        known = self.source.describe(sorted(set(split.values())))
        return {name: known[own] for name, own in split.items() if own in known}

    def read(self, columns: Sequence[str]) -> dict[str, Array]:
        """These columns as numbers."""
        read = self.read_as([Asked(name) for name in columns])
        return {name: rows for name, rows in zip(columns, read, strict=True) if isinstance(rows, np.ndarray)}

    def read_as(self, asked: Sequence[Asked]) -> list[Rows]:
        """Read the other source, and take its rows in the order drawn."""
        split = [
            (item.column.split("_", 1)[0], item._replace(column=item.column.split("_", 1)[1])) for item in asked
        ]
        wanted = sorted({self._label, *(own for _, own in split)})
        table = dict(zip(wanted, self.source.read_as(wanted), strict=True))
        rows = self._draw(table[self._label])
        return [table[own][rows[member]] for member, own in split]

    @property
    def _label(self) -> Asked:
        """How the classes are read: as texts where they may be some."""
        known = self.source.describe([self.label]).get(self.label)
        return Asked(self.label, text=known is not None and known.text != "no")

    def locate(self, row: int, column: str) -> Mark | None:
        """Where the other source holds the value."""
        member, name = column.split("_", 1)
        rows = self._draw(*self.source.read_as([self._label]))
        return self.source.locate(int(rows[member][row]), name)

    def _draw(self, classes: Rows) -> Numbers:
        """The tuples, in an order of their own; DataError where there is none."""
        labels = _numbered(classes)
        rng = np.random.default_rng(self.seed)
        order = rng.permutation(len(labels))
        order = order[np.argsort(labels[order], kind="stable")]  # by class, at random within one
        rows = self._tuples(order, labels, rng)
        count = len(rows[self.members[0]])
        if not count:
            raise DataError(f"{self.type} needs at least two classes with {2 * len(self.members)} rows each")
        order = rng.permutation(count)
        return {member: numbers[order] for member, numbers in rows.items()}

    @abstractmethod
    def _tuples(self, order: Array, labels: Array, rng: np.random.Generator) -> Numbers:
        """Put rows, given class by class, together."""


def _numbered(classes: Rows) -> Array:
    """Classes as numbers; those of texts are their places in order, of numbers by size."""
    if not isinstance(classes, Texts):
        return classes
    try:
        values: Array = classes.values.astype(np.float64)
    except ValueError:
        values = classes.values
    places: Array = np.unique(values, return_inverse=True)[1]
    return places[classes.codes]


def _alike(order: Array, labels: Array, share: int) -> tuple[Array, Array, Array]:
    """Pairs of one class, made of two rows of each `share` of it, and the rows that are left."""
    _, starts = np.unique(labels[order], return_index=True)
    first, second, rest = [], [], []
    for rows in np.split(order, starts[1:]):
        count = len(rows) // share
        first.append(rows[:count])
        second.append(rows[count : 2 * count])
        rest.append(rows[2 * count :])
    return np.concatenate(first), np.concatenate(second), np.concatenate(rest)


def _unlike(one: Array, other: Array, labels: Array) -> tuple[Array, Array]:
    """A partner of another class for each of the rows `one`, and for which of them there is one.

    The partner is the row beside it in `other`, which is in random order. Where the two are of one class, partners
    are exchanged among all for whom that is so.
    """
    other = other.copy()
    alike = np.flatnonzero(labels[one] == labels[other])
    # In the order of the classes, another class stands half way around.
    alike = alike[np.argsort(labels[one[alike]], kind="stable")]
    other[alike] = np.roll(other[alike], len(alike) // 2)
    return other, labels[one] != labels[other]


@sources.register
@final
class Triplets(_Tuples):
    """Rows of another source in threes: an anchor, a positive of its class, a negative of another, whichever.

    Each row is in one triplet at most, so there are a third as many as rows.

    Shape:
        anchor_NAME, positive_NAME, negative_NAME: the column NAME of each member, as the other source has it.

    Parameters:
        source: where rows come from.
        label: its column of classes.
        seed: decides which rows come together.

    Raises:
        DataError: there is no such column, or no two classes with rows enough.

    Reference: Schroff, Kalenichenko and Philbin, "FaceNet: A Unified Embedding for Face Recognition and
        Clustering", 2015
    """

    members: ClassVar[tuple[str, ...]] = ("anchor", "positive", "negative")

    type: Literal["Triplets"] = "Triplets"

    def _tuples(self, order: Array, labels: Array, rng: np.random.Generator) -> Numbers:
        anchor, positive, rest = _alike(order, labels, share=3)
        negative, right = _unlike(anchor, rng.permutation(rest)[: len(anchor)], labels)
        return {"anchor": anchor[right], "positive": positive[right], "negative": negative[right]}


@sources.register
@final
class Pairs(_Tuples):
    """Rows of another source in twos, about half of them of one class, the others of any two.

    Each row is in one pair at most, so there are half as many as rows.

    Shape:
        first_NAME, second_NAME: the column NAME of each member, as the other source has it.
        same: 1 where both are of one class, else 0.

    Parameters:
        source: where rows come from.
        label: its column of classes.
        seed: decides which rows come together.

    Raises:
        DataError: there is no such column, or no two classes with rows enough.

    Reference: Hadsell, Chopra and LeCun, "Dimensionality Reduction by Learning an Invariant Mapping", 2006
    """

    members: ClassVar[tuple[str, ...]] = ("first", "second")

    type: Literal["Pairs"] = "Pairs"

    def columns(self) -> dict[str, Column]:
        """Those of both members, and whether they are of one class."""
        return super().columns() | {"same": Column((), "float")}

    def describe(self, columns: Sequence[str]) -> dict[str, Column]:
        """Also whether they are of one class."""
        return super().describe(columns) | {"same": Column((), "float")}

    def read_as(self, asked: Sequence[Asked]) -> list[Rows]:
        """Also compare the classes."""
        label = self._label
        labels = [label._replace(column=f"{member}_{label.column}") for member in self.members]
        others = [*(item for item in asked if item.column != "same"), *labels]
        table = dict(zip(others, super().read_as(others), strict=True))
        first, second = (_numbered(table[item]) for item in labels)
        alike = first == second
        return [alike.astype(np.float64) if item.column == "same" else table[item] for item in asked]

    def _tuples(self, order: Array, labels: Array, rng: np.random.Generator) -> Numbers:
        first, second, rest = _alike(order, labels, share=4)
        rest = rng.permutation(rest)
        half = len(rest) // 2
        other, different = _unlike(rest[:half], rest[half : 2 * half], labels)
        return {
            "first": np.concatenate([first, rest[:half][different]]),
            "second": np.concatenate([second, other[different]]),
        }
