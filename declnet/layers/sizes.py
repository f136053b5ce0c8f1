"""Sizes of windows, as convolutions and pools take them: one number for all dimensions, or one for each."""

from __future__ import annotations

from typing import Final

from pydantic import NonNegativeInt, PositiveInt

from declnet.core.component import Module
from declnet.core.spec import Spec
from declnet.errors import ShapeError

Size1 = PositiveInt | tuple[PositiveInt]
Size2 = PositiveInt | tuple[PositiveInt, PositiveInt]
Size3 = PositiveInt | tuple[PositiveInt, PositiveInt, PositiveInt]
Pad1 = NonNegativeInt | tuple[NonNegativeInt]
Pad2 = NonNegativeInt | tuple[NonNegativeInt, NonNegativeInt]
Pad3 = NonNegativeInt | tuple[NonNegativeInt, NonNegativeInt, NonNegativeInt]


Step2 = Size2 | tuple[PositiveInt]
Step3 = Size3 | tuple[PositiveInt]
"""A list of one number stands for all dimensions; PyTorch takes it where nothing counts the dimensions by it."""

Sizes = int | tuple[int, ...]
"""Any of them, in code that works in any number of dimensions."""

_LETTERS: Final = {1: "L", 2: "H, W", 3: "D, H, W"}


def each(sizes: Sizes, dims: int) -> tuple[int, ...]:
    """One number for each dimension; a list of one stands for all."""
    given = sizes if isinstance(sizes, tuple) else (sizes,)
    return given if len(given) == dims else given * dims


def require_channels_first(module: Module, input: Spec, dims: int, *, channels: bool = True) -> tuple[int, ...]:
    """The sizes of an input (N, C, ...) or (C, ...) behind its channels; refuse others and empty ones.

    An empty batch passes; so do no channels, where none are needed.
    """
    name = type(module).__name__
    if input.ndim not in (dims + 1, dims + 2):
        takes = f"(N, C, {_LETTERS[dims]}) or (C, {_LETTERS[dims]})"
        raise ShapeError(f"{name} takes {takes} but its input is {input}", argument=0)
    if 0 in input.shape[-dims - channels :]:
        what = "channels and positions" if channels else "positions"
        raise ShapeError(f"{name} needs {what} but its input {input} has none", argument=0)
    return input.shape[-dims:]
