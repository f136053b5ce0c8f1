"""The rows of all sources of a run as they are read, one after another, as if they were one table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from declnet.config.split import Part
from declnet.core.source import Asked, Source
from declnet.core.spec import Array
from declnet.core.transform import MISSING, Rows, Texts
from declnet.data import table
from declnet.errors import DataError, Diagnostic, Path, RowError
from declnet.records import record
from declnet.runner.experiment import Experiment
from declnet.runner.findings import placed
from declnet.runner.splitting import SPLIT, column_of, require_classes

SOURCE: Path = ("data", "source")


@record
class Piece:
    """The rows of one source: its fields, and the number that its first row has among all."""

    part: Part | None
    """The split that they are, all of them; None for those that are still to be split."""
    source: Source
    rows: dict[str, Rows]
    start: int
    count: int

    @property
    def stop(self) -> int:
        """The number of the row after its last."""
        return self.start + self.count


class Gathered:
    """The fields of `data.source` and, behind them, those of the sources that splits have of their own."""

    def __init__(self, experiment: Experiment, *, alone: bool = False) -> None:
        """Read everything, `alone` only `data.source`. DataError where a cell is wrong."""
        self._experiment = experiment
        self._fields = experiment.inputs | experiment.targets
        split = experiment.config.data.split
        self.labels: Array | None = None
        """What the rows of `data.source` are split by."""
        self.pieces = [self._read(experiment.config.data.source, None, 0, alone=alone)]
        for part, source in ({} if alone else split.sources).items():
            self.pieces.append(self._read(source, part, self.pieces[-1].stop, alone=True))

    @property
    def count(self) -> int:
        """How many rows there are in all."""
        return self.pieces[-1].stop

    def _read(self, source: Source, part: Part | None, start: int, *, alone: bool) -> Piece:
        """Read one source, and what its rows are split by unless it stands `alone`."""
        asked = table.asked_of(self._fields)
        column = None if alone else column_of(self._experiment.config.data.split, self._experiment.targets)
        by = None if column is None else self._asked_by(source, asked, column)
        with located(self._experiment, source, part):
            wanted = asked if by is None or by in asked else [*asked, by]
            columns = dict(zip(wanted, source.read_as(wanted), strict=True))
            if by is not None:
                labels = columns[by]
                self.labels = labels.codes if isinstance(labels, Texts) else labels
                if self._experiment.config.data.split.method == "grouped":
                    _require_groups(labels, by.column)
            rows = table.stack(columns, self._fields, self._experiment.config.dtype)
        if column is not None and self._experiment.config.data.split.method == "stratified":
            self._require_classes(column)
        return Piece(part, source, rows, start, len(next(iter(rows.values()))))

    @staticmethod
    def _asked_by(source: Source, asked: list[Asked], column: str) -> Asked:
        """How the column that rows are split by is read: as a field reads it, else as texts, where it may be."""
        same = next((item for item in asked if item.column == column), None)
        return same or Asked(column, text=source.columns()[column].text != "no", gaps=True)

    def _require_classes(self, column: str) -> None:
        if self.labels is None:
            raise AssertionError("rows are stratified by a column that was read")
        try:
            require_classes(self.labels, column)
        except DataError as error:
            raise DataError(*placed(error, self._experiment.document, ())) from None


def _require_groups(labels: Rows, column: str) -> None:
    """RowError where a row has no group: nobody knows which rows go with it. A class it may do without, and those
    that do are one.
    """
    missing = labels.codes == MISSING if isinstance(labels, Texts) else np.isnan(labels)
    if missing.any():
        message = f"column {column!r}: missing value; rows are grouped by this column, so each needs one"
        raise RowError(message, int(np.argmax(missing)), column)


@contextmanager
def located(experiment: Experiment, source: Source, part: Part | None) -> Iterator[None]:
    """Around what reads rows of a source: a cell that is wrong is named by its place in the source, anything else
    by the source's place in the config.
    """
    try:
        yield
    except RowError as error:
        mark = None if error.column is None else source.locate(error.row, error.column)
        if mark is not None:
            raise DataError(Diagnostic(error.message, mark=mark)) from None
        path, message = SOURCE if part is None else (*SPLIT, part), error.diagnostics[0].message  # with the row
        raise DataError(Diagnostic(message, path, experiment.document.mark(path))) from None
    except DataError as error:
        base = SOURCE if part is None else (*SPLIT, part)
        raise DataError(*placed(error, experiment.document, base)) from None
