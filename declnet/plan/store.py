"""Parameters, gradients and buffers: flat vectors, and the views that components see."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from declnet.core.component import Buffer, Parameter
from declnet.core.spec import ITEMSIZES, Array, DType, numpy_dtype
from declnet.errors import CheckpointError, MachineError
from declnet.records import record

ALIGNMENT = 64
"""Bytes at which every parameter starts: a cache line, and the widest vector register."""


@record
class Places:
    """Where each parameter starts in the flat vector, the slice of each group, and the elements in all."""

    offsets: dict[str, int]
    slices: list[slice]
    trained: int
    size: int


def elements(parameter: Parameter, dtype: DType) -> int:
    """Elements that a parameter takes in the flat vector, the gap behind it included."""
    unit = ALIGNMENT // ITEMSIZES[dtype]
    return -(-math.prod(parameter.shape) // unit) * unit


def place(parameters: Mapping[str, Parameter], groups: Sequence[Sequence[str]], dtype: DType) -> Places:
    """Lay parameters out by group, then the rest; each starts at a multiple of `ALIGNMENT`."""
    offsets: dict[str, int] = {}
    ends = [0]
    rest = [name for name in parameters if not any(name in group for group in groups)]
    for group in (*groups, rest):
        end = ends[-1]
        for name in group:
            offsets[name] = end
            end += elements(parameters[name], dtype)
        ends.append(end)
    slices = [slice(start, end) for start, end in pairwise(ends[:-1])]
    return Places(offsets, slices, ends[-2], ends[-1])


class Store:
    """Owns the model's arrays. `groups` lists the trained parameters by optimizer group; the vectors hold
    them in that order, then the rest, so a group is one slice. Gaps between parameters stay 0.
    """

    def __init__(
        self,
        parameters: Mapping[str, Parameter],
        buffers: Mapping[str, Buffer],
        groups: Sequence[Sequence[str]],
        dtype: DType,
    ) -> None:
        """Lay out and allocate; `initialize` gives the first values."""
        self.dtype = dtype
        self._parameters = dict(parameters)
        self._buffers = dict(buffers)
        places = place(parameters, groups, dtype)
        self.slices = places.slices
        self.vector = _aligned_zeros(places.size, dtype)
        self.gradient = _aligned_zeros(places.trained, dtype)
        self._offsets = at = places.offsets
        self.params = {name: _view(self.vector, at[name], p.shape) for name, p in parameters.items()}
        self.grads: dict[str, Array | None] = {
            name: _view(self.gradient, at[name], p.shape) if at[name] < places.trained else None
            for name, p in parameters.items()
        }
        self.buffers = {name: np.zeros(b.shape, numpy_dtype(b.kind, dtype)) for name, b in buffers.items()}

    def initialize(self, rng: np.random.Generator) -> None:
        """Draw the first values, in order."""
        for name, parameter in self._parameters.items():
            parameter.init(self.params[name], rng)
        for name, buffer in self._buffers.items():
            self.buffers[name][...] = buffer.value

    def trained(self, vector: Array) -> dict[str, Array]:
        """Views of another vector that is laid out as `gradient` is, by the names of the trained parameters."""
        return {
            name: _view(vector, self._offsets[name], grad.shape)
            for name, grad in self.grads.items()
            if grad is not None
        }

    def state_dict(self) -> dict[str, Array]:
        """Parameters and buffers by PyTorch's names: views, to be copied or written at once."""
        return {**self.params, **self.buffers}

    def load_state_dict(self, arrays: Mapping[str, Array], source: str = "the checkpoint") -> None:
        """Take values by name; nothing is taken where a name, a shape or a dtype does not fit."""
        take(self.state_dict(), arrays, "model", source)


def take(own: Mapping[str, Array], arrays: Mapping[str, Array], what: str, source: str) -> None:
    """Copy a checkpoint's arrays into those of a model or an optimizer, by name.

    CheckpointError, in which the checkpoint is called `source`, where a name, a shape or a dtype does not fit;
    nothing is copied then.
    """
    missing, unknown = sorted(own.keys() - arrays.keys()), sorted(arrays.keys() - own.keys())
    if missing or unknown:
        lacks = f"lacks {', '.join(missing)}" if missing else ""
        extra = f"has {', '.join(unknown)}, which the {what} has not" if unknown else ""
        raise CheckpointError(f"{source} is of another {what}: it {' and '.join(filter(None, (lacks, extra)))}")
    for name, array in own.items():
        given = arrays[name]
        if given.shape != array.shape or given.dtype != array.dtype:
            raise CheckpointError(
                f"{source} is of another {what}: its {name} is {given.dtype} {given.shape}, "
                f"the {what}'s {array.dtype} {array.shape}"
            )
    for name, array in own.items():
        array[...] = arrays[name]


def _view(vector: Array, offset: int, shape: tuple[int, ...]) -> Array:
    return vector[offset : offset + math.prod(shape)].reshape(shape)


def _aligned_zeros(size: int, dtype: DType) -> Array:
    return aligned(size * np.dtype(dtype).itemsize).view(dtype)


def aligned(nbytes: int) -> Array:
    """Zeroed bytes that start at a multiple of `ALIGNMENT`."""
    try:
        memory = np.zeros(nbytes + ALIGNMENT, np.uint8)
    except (MemoryError, ValueError) as error:  # ValueError: more than there are addresses
        raise MachineError(f"not enough memory: {nbytes:,} bytes are needed") from error
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + nbytes]
