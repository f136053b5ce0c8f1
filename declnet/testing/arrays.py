"""The arrays a component is run on: inputs as a plan hands them over, first values, and memory to write to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from declnet.core.component import Module, arity
from declnet.core.spec import Array, DType, Kind, Spec, numpy_dtype

Inputs = Mapping[str, Array] | Sequence[Array]
"""The inputs of a component: by the names of its `infer`, or in their order."""

POISON: dict[Kind, float] = {"float": np.nan, "int": -1, "bool": True}
"""What memory holds that nobody has written to yet."""

MARGIN = 16
"""Elements on either side of an array that nobody may write to: 64 bytes or more of floating-point numbers."""


def spec_of(array: Array) -> Spec:
    """The spec of an array."""
    kinds: dict[str, Kind] = {"f": "float", "i": "int", "u": "int", "b": "bool"}
    return Spec(array.shape, kinds[array.dtype.kind])


def input_names(module: Module, count: int) -> tuple[str, ...]:
    """The names of so many inputs, as `infer` has them; a variadic component's are `inputs[0]`, `inputs[1]`, ..."""
    inputs = arity(type(module))
    if not inputs.variadic:
        return inputs.names
    *single, rest = inputs.names
    return (*single, *(f"{rest}[{index}]" for index in range(count - len(single))))


def prepare(inputs: Inputs, module: Module, dtype: DType) -> list[Array]:
    """Inputs in order, as read-only arrays of the dtypes that a config of this dtype has."""
    names = arity(type(module)).names
    given = [inputs[name] for name in names] if isinstance(inputs, Mapping) else list(inputs)
    arrays = []
    for array in map(np.asarray, given):
        prepared = np.array(array, numpy_dtype(spec_of(array).kind, dtype), order="C")
        prepared.flags.writeable = False
        arrays.append(prepared)
    return arrays


def initial_state(module: Module, inputs: Inputs, *, seed: int = 0, dtype: DType = "float64") -> dict[str, Array]:
    """The parameters and buffers a component starts with, by name."""
    specs = [spec_of(array) for array in prepare(inputs, module, dtype)]
    rng = np.random.default_rng(seed)
    state: dict[str, Array] = {}
    for name, parameter in module.parameters(*specs).items():
        state[name] = np.empty(parameter.shape, dtype)
        parameter.init(state[name], rng)
    for name, buffer in module.buffers(*specs).items():
        state[name] = np.full(buffer.shape, buffer.value, numpy_dtype(buffer.kind, dtype))
    return state


def lent(array: Array) -> Array:
    """A view that cannot be written to."""
    view = array.view()
    view.flags.writeable = False
    return view


def room(spec: Spec, dtype: DType) -> Array:
    """Memory nobody has written to yet, with a margin on both sides."""
    whole = np.full(spec.size + 2 * MARGIN, POISON[spec.kind], numpy_dtype(spec.kind, dtype))
    return whole[MARGIN : MARGIN + spec.size].reshape(spec.shape)


def poison(array: Array) -> None:
    """Overwrite an array as if it were new memory."""
    array[...] = POISON[spec_of(array).kind]


def overrun(array: Array) -> bool:
    """Whether somebody has written to the margins of a `room`."""
    whole = array.base
    if whole is None:
        raise AssertionError("this array is no room")
    return whole[:MARGIN].tobytes() + whole[-MARGIN:].tobytes() != _margins(whole.dtype)


@cache
def _margins(dtype: np.dtype[Any]) -> bytes:
    fresh = np.empty(2 * MARGIN, dtype)
    poison(fresh)
    return fresh.tobytes()
