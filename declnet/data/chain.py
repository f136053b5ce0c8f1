"""A field's transforms one after another: what its columns have to hold, and what becomes of that."""

from __future__ import annotations

from collections.abc import Sequence

from declnet.core.source import Column
from declnet.core.spec import Kind
from declnet.core.transform import Cells, Transform
from declnet.errors import Path, ShapeError


class FieldError(ShapeError):
    """A key of a data field is wrong: its path within the field, such as ("transforms", 0, "strategy")."""

    def __init__(self, message: str, path: Path) -> None:
        """Take what is wrong and where."""
        super().__init__(message)
        self.path = path


def wrong_transform(error: ShapeError, index: int) -> FieldError:
    """What a transform refuses, as a mistake of its field."""
    return FieldError(error.message, ("transforms", index, *([] if error.field is None else [error.field])))


def reads_texts(transforms: Sequence[Transform]) -> bool | None:
    """Whether transforms work on texts, or on numbers; None where they work on either."""
    return next((item.takes == "text" for item in transforms if item.takes != "any"), None)


def first_cells(
    names: Sequence[str],
    columns: Sequence[Column],
    kind: Kind | None,
    transforms: Sequence[Transform],
    *,
    stacked: bool,
) -> Cells:
    """What columns hold before the first transform. A `ShapeError` where these make nothing of them."""
    count = len(columns)
    shape = (count,) if stacked else columns[0].shape
    gaps = bool(transforms) and transforms[0].fills
    texts = reads_texts(transforms)
    for name, item in zip(names, columns, strict=True):
        if item.text == "yes" and (texts is False or not transforms):
            raise ShapeError(
                f"column {name!r} holds texts: the transforms Category, OneHot and ClassLabels take them",
                field=name,
            )
    if any(item.text == "yes" or (texts and item.text == "may") for item in columns):
        if kind is not None:
            raise FieldError(
                "the transforms read texts, of which dtype says nothing: leave it out, and end with "
                "{type: Cast, dtype: ...} for another kind of number",
                ("dtype",),
            )
        return Cells(shape, "text", gaps, count)
    kinds = {item.kind for item in columns if item.kind is not None}
    if not kinds and texts:  # bytes, say: a transform of texts takes integers
        kinds = {"int"}
    return Cells(shape, kind or (kinds.pop() if len(kinds) == 1 else "float"), gaps, count)


def steps(transforms: Sequence[Transform], cells: Cells) -> list[Cells]:
    """What cells are before the first transform and after each; a `FieldError` where one of them does not fit."""
    found = [cells]
    for index, transform in enumerate(transforms):
        if index and transform.fills and transform.takes == "any":
            message = f"{transform.type} comes first: what is before it takes no missing cells"
            raise FieldError(message, ("transforms", index))
        try:
            found.append(transform.infer(found[-1]))
        except ShapeError as error:
            raise wrong_transform(error, index) from None
    if found[-1].kind == "text":
        raise FieldError(
            "the field ends in texts; the transforms Category, OneHot and ClassLabels make numbers of them",
            ("transforms",),
        )
    return found
