"""The rows of each split: what can be said of `data.split` before a row is read, and how rows are split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from declnet.config.schema import Config
from declnet.config.split import PARTS, Split
from declnet.core.random import generator
from declnet.core.source import Column, Source
from declnet.core.spec import Array, Spec
from declnet.core.suggest import did_you_mean, some
from declnet.data import splits, table
from declnet.errors import ConfigError, DataError, Diagnostic, Path

SPLIT: Path = ("data", "split")

BY_COLUMN = ("stratified", "grouped")
"""The methods that go by a column."""

Finding = tuple[str, Path]
"""A message, and the path of the key that it is about."""


def column_of(split: Split, targets: Mapping[str, table.Field]) -> str | None:
    """The column that rows are split by: for classes, where none is named, that of the first target if it is made
    of one.
    """
    if split.method not in BY_COLUMN:
        return None
    if split.column is not None:
        return split.column
    columns = next((field.columns for field in targets.values()), ())
    return columns[0] if len(columns) == 1 else None


def problems(
    split: Split,
    known: Mapping[str, Column],
    fields: Mapping[str, table.Field],
    targets: Mapping[str, table.Field] | None,
) -> Iterator[tuple[str | ConfigError | DataError, Path]]:
    """What is wrong with a split, or what one of its sources refuses, and the paths that these are about.
    Where the targets are not all known, nothing is said of the column that follows from them.
    """
    if split.column is not None or targets is not None:
        yield from _column_problems(split, known, targets or {})
    for part, source in split.sources.items():
        path = (*SPLIT, part)
        try:
            yield from _source_problems(source, known, fields, path)
        except (ConfigError, DataError) as error:
            yield error, path


def _column_problems(
    split: Split, known: Mapping[str, Column], targets: Mapping[str, table.Field]
) -> Iterator[Finding]:
    """What is wrong with the column that rows are split by."""
    if split.method not in BY_COLUMN:
        return
    column = column_of(split, targets)
    path = (*SPLIT, "method" if split.column is None else "column")
    if column is None:
        yield f"{split.method} needs data.split.column: there is no target of one column to go by", path
    elif column not in known:
        near = did_you_mean(column, known) or f"; there is {some(list(known))}"
        yield f"the source has no column {column!r}{near}", path
    elif known[column].refused:
        yield f"column {column!r} {known[column].refused}", path
    elif known[column].shape:
        held = f"column {column!r} holds {Spec(known[column].shape)} a row"
        yield f"rows are split by a column with one value a row, and {held}; name another", path


def _source_problems(
    source: Source, known: Mapping[str, Column], fields: Mapping[str, table.Field], path: Path
) -> Iterator[Finding]:
    """Where a split's own source has not the columns that the fields are made of. ConfigError and DataError where
    it cannot say.
    """
    own = source.columns()
    for name in sorted({item.column for item in table.asked_of(fields)}):
        if name not in own:
            near = did_you_mean(name, own) or f"; there is {some(list(own))}"
            yield f"the source has no column {name!r}, which data.source has{near}", path
        elif own[name].refused:
            yield f"column {name!r} {own[name].refused}", path
        elif own[name].shape != known[name].shape:
            here, there = Spec(own[name].shape), Spec(known[name].shape)
            yield f"column {name!r} holds {here} a row, and in data.source {there}", path


def fold_problems(given: Mapping[str, object]) -> Iterator[Finding]:
    """What of a split, as it is written, does not go with folds."""
    test = given.get("test", 0)
    if isinstance(test, int | float | Source) and test != 0:
        yield "with loop.folds the rows of each fold are its test rows; leave test out", (*SPLIT, "test")


def completed(config: Config, targets: Mapping[str, table.Field], given: Mapping[str, object]) -> Config:
    """The config with what was left out of its split, and is known; `given` is what is written."""
    split, changes = config.data.split, dict[str, object]()
    if split.method == "stratified" and split.column is None:
        changes["column"] = column_of(split, targets)
    if config.loop.folds is not None:
        changes["test"] = 0.0
        if given.get("train") is None:
            changes["train"] = round(1 - split.share("val"), 12)
    if not changes:
        return config
    return config.model_copy(
        update={"data": config.data.model_copy(update={"split": split.model_copy(update=changes)})}
    )


def split_rows(config: Config, rows: int, labels: Array | None) -> dict[str, Array]:
    """The numbers of the rows of each split that the source's own rows are shared out to; `labels` are the classes
    or the groups of these. DataError where there are too few of them.
    """
    split, loop = config.data.split, config.loop
    rng = generator(config.seed, "split")
    every = np.arange(rows)
    if loop.folds is None:
        return dict(zip(PARTS, _drawn(split, every, labels, [*map(split.share, PARTS)], rng), strict=True))
    folds = _drawn(split, every, labels, [1 / loop.folds] * loop.folds, rng)
    if not all(map(len, folds)):
        have = f"{rows} rows" if labels is None or split.method != "grouped" else f"{len(np.unique(labels))} groups"
        raise DataError(f"the source has {have}, too few for {loop.folds} folds")
    test = folds[(loop.fold or 1) - 1]
    others = np.delete(every, test)
    train, val = _drawn(split, others, labels, [split.share("train"), split.share("val")], rng)
    return {"train": train, "val": val, "test": test}


def _drawn(
    split: Split, rows: Array, labels: Array | None, shares: Sequence[float], rng: np.random.Generator
) -> list[Array]:
    """Shares of some rows, by the method of the split."""
    if split.method == "random":
        pieces = splits.at_random(len(rows), shares, rng)
    elif split.method == "ordered":
        pieces = splits.in_order(len(rows), shares)
    elif labels is None:
        raise AssertionError(f"a split that is {split.method} goes by a column")
    else:
        draw = splits.by_class if split.method == "stratified" else splits.by_group
        pieces = draw(labels[rows], shares, rng)
    return [rows[piece] for piece in pieces]


def require_classes(labels: Array, column: str) -> None:
    """Refuse to take for classes what is another value in each row."""
    if len(labels) > 1 and len(np.unique(labels)) == len(labels):
        raise DataError(
            Diagnostic(
                f"rows are stratified by the classes in column {column!r}, and it has another value in each of the "
                f"{len(labels)} rows: name a column of classes, or split by another method",
                (*SPLIT, "method"),
            )
        )
