"""The transforms of a field with what they learned of the training rows, and rows on their way through them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from declnet.core.spec import Array, DType, numpy_dtype
from declnet.core.transform import Misfit, Passes, Rows, State, Texts
from declnet.data import chain
from declnet.data.table import BLOCK, Field, grows
from declnet.errors import CheckpointError, RowError, ShapeError

MANY = 16
"""Times the memory of what is read: from there on rows are transformed batch by batch."""


class Pipeline:
    """What makes the array that a model reads of a field's columns. Rows go through it in float64, each by itself,
    and become the dtype of the config at the end, so the same bits come out however they are cut.
    """

    def __init__(self, field: Field, states: Sequence[State], dtype: DType) -> None:
        """Take what each transform learned."""
        self.field, self.states, self._dtype = field, [*states], dtype
        self._cells = chain.steps(field.transforms, field.cells)
        self._wanted = numpy_dtype(field.spec.kind, dtype)

    @classmethod
    def fit(cls, field: Field, rows: Rows, train: Array, dtype: DType) -> Pipeline:
        """Learn from the rows with these numbers, and from no others. RowError where a cell does not fit, and
        `FieldError` where what is learned does not.
        """
        pipeline = cls(field, [], dtype)
        for index, transform in enumerate(field.transforms):
            cells = pipeline._cells[index]
            try:
                with np.errstate(over="ignore", invalid="ignore"):
                    state = transform.fit(pipeline._passes(rows, train), cells)
            except ShapeError as error:
                if error.argument is not None and len(field.columns) == cells.columns:
                    column = field.columns[error.argument]
                    error = ShapeError(f"column {column!r}: {error.message}", field=error.field)
                raise chain.wrong_transform(error, index) from None
            if not all(spec.fits(state[key]) for key, spec in transform.learned(cells).items()):
                message = f"the numbers are too large for what {transform.type} learns of them"
                raise chain.FieldError(message, ("transforms", index))
            pipeline.states.append(state)
        return pipeline

    @classmethod
    def restore(cls, name: str, field: Field, arrays: Mapping[str, Array], dtype: DType) -> Pipeline:
        """Take what was learned from a checkpoint's arrays. CheckpointError where they are of other transforms."""
        pipeline = cls(field, [], dtype)
        for index, (transform, cells) in enumerate(zip(field.transforms, pipeline._cells, strict=False)):
            state = {}
            for key, learned in transform.learned(cells).items():
                found = arrays.get(f"{name}/{index}/{key}")
                if found is None or not learned.fits(found):
                    what = "nothing" if found is None else f"something else than {transform.type} learns"
                    raise CheckpointError(
                        f"it holds {what} for the transform {index} of {name!r}, {transform.type}"
                    )
                state[key] = found
            pipeline.states.append(state)
        return pipeline

    def state_dict(self, name: str) -> dict[str, Array]:
        """What was learned, for a checkpoint."""
        return {
            f"{name}/{index}/{key}": array
            for index, state in enumerate(self.states)
            for key, array in state.items()
        }

    def _passes(self, rows: Rows, train: Array) -> Passes:
        """Goes through the training rows as the transforms fitted by now leave them."""
        end = len(self.states)

        def go() -> Iterator[Rows]:
            for chosen in _cut(rows, train):
                yield self._through(rows[chosen], 0, end, chosen)

        return go

    def before_training(self, rows: Rows) -> int:
        """How many of the transforms can be applied to all rows at once: all up to those that augment, if these
        come last. 0 where that would take much more memory than the rows do.
        """
        transforms = self.field.transforms
        end = next((index for index, item in enumerate(transforms) if item.augments), len(transforms))
        size = math.prod(self._cells[end].shape) * self._wanted.itemsize
        if not all(item.augments for item in transforms[end:]) or self._cells[end].kind == "text":
            return 0
        if isinstance(rows, Texts):
            return 0 if size > MANY * rows.codes[:1].nbytes else end
        return 0 if grows(rows, self._wanted) or size > MANY * rows[:1].nbytes else end

    def whole(self, rows: Rows, end: int | None = None, first: int = 0) -> Array:
        """All rows, block by block, through the transforms up to `end`; `first` is the number of the first one."""
        end = len(self.states) if end is None else end
        found = np.empty((len(rows), *self._cells[end].shape), self._wanted)
        for chosen in _cut(rows, np.arange(len(rows))):
            start, stop = int(chosen[0]), int(chosen[-1]) + 1
            found[start:stop] = self.apply(rows[start:stop], end=end, numbers=chosen + first)
        return found

    def apply(
        self,
        rows: Rows,
        begin: int = 0,
        end: int | None = None,
        *,
        numbers: Sequence[int] | Array | None = None,
        rng: np.random.Generator | None = None,
    ) -> Array:
        """Rows through the transforms from `begin`, augmented where there is an `rng`. `numbers` are those of the
        rows, for messages. RowError where a cell does not fit.
        """
        end = len(self.states) if end is None else end
        numbers = range(len(rows)) if numbers is None else numbers
        values = self._through(rows, begin, end, numbers, rng)
        if isinstance(values, Texts):
            raise AssertionError("a field that ends in texts was refused")
        with np.errstate(over="ignore"):
            found = values.astype(self._wanted, copy=False)
        if self._wanted.kind == "f" and not (finite := np.isfinite(found)).all():
            place = tuple(map(int, np.argwhere(~finite)[0]))
            message = f"{values[place]:g} is what the transforms make of it, too large for {self._wanted}"
            raise self._refusal(Misfit(message, place), end, numbers)
        return found

    def _through(
        self,
        rows: Rows,
        begin: int,
        end: int,
        numbers: Sequence[int] | Array,
        rng: np.random.Generator | None = None,
    ) -> Rows:
        for index in range(begin, end):
            transform = self.field.transforms[index]
            try:
                if transform.augments and rng is not None:
                    rows = transform.augment(np.asarray(rows), rng)
                else:
                    with np.errstate(over="ignore"):
                        rows = transform.apply(rows, self.states[index], self._cells[index])
            except Misfit as misfit:
                raise self._refusal(misfit, index, numbers) from None
        return rows

    def _refusal(self, misfit: Misfit, index: int, numbers: Sequence[int] | Array) -> RowError:
        """Where in the source the cell is."""
        names, place = self.field.columns, misfit.place
        beside = self.field.stacked and self._cells[index].columns == len(names) and len(place) > 1
        column = names[place[1]] if beside else names[0]
        return RowError(f"column {column!r}: {misfit.message}", int(numbers[place[0]]), column)

    @property
    def invertible(self) -> bool:
        """Whether numbers that stand for the field's can be put back into the units of its columns."""
        transforms = self.field.transforms
        return bool(transforms) and all(item.invertible for item in transforms)

    def invert(self, values: Array) -> Array:
        """Numbers like the field's in the units of its columns, float64."""
        values = np.asarray(values, np.float64)
        for index in reversed(range(len(self.states))):
            values = self.field.transforms[index].invert(values, self.states[index], self._cells[index])
        return values

    @property
    def indices(self) -> int:
        """How many indices there are among the field's integers, from 0; 0 where nobody knows, or they are none."""
        return self.field.transforms[-1].indices(self.states[-1])

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes that the field's numbers count, where they have some."""
        for transform, state in zip(reversed(self.field.transforms), reversed(self.states), strict=True):
            if found := transform.names(state):
                return found
            if transform.type != "Cast":
                break
        return ()


def _cut(rows: Rows, numbers: Array) -> Iterator[Array]:
    """Row numbers in blocks whose rows take about a megabyte."""
    one = rows[:1]
    size = one.codes.nbytes if isinstance(one, Texts) else one.nbytes
    step = max(1, BLOCK // max(1, size))
    for start in range(0, len(numbers), step):
        yield numbers[start : start + step]
