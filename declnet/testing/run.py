"""Run one component on given arrays, bound as in a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from declnet.core.component import Alias, Module, Site, arity
from declnet.core.spec import Array, DType, Kind, Spec, numpy_dtype

Inputs = Mapping[str, Array] | Sequence[Array]
"""The inputs of a component: by the names of its `infer`, or in their order."""


@dataclass(slots=True)
class Run:
    """What a component gave. Gradients are there in training, given an upstream one; not of integer inputs."""

    output: Array
    params: dict[str, Array]
    buffers: dict[str, Array]
    grad_inputs: list[Array | None] = field(default_factory=list)
    grads: dict[str, Array] = field(default_factory=dict)


def spec_of(array: Array) -> Spec:
    """The spec of an array."""
    kinds: dict[str, Kind] = {"f": "float", "i": "int", "u": "int", "b": "bool"}
    return Spec(array.shape, kinds[array.dtype.kind])


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


def run(
    module: Module,
    inputs: Inputs,
    *,
    state: Mapping[str, Array] | None = None,
    grad_output: Array | float | None = None,
    training: bool = True,
    dtype: DType = "float64",
    seed: int = 0,
    shared: bool = False,
) -> Run:
    """Run one component forward and, given an upstream gradient in training, backward.

    Args:
        module: the component.
        inputs: its inputs, by name or in order; integers and booleans stay such, floats become `dtype`.
        state: parameters and buffers by name; left out, its own first values.
        grad_output: the gradient of the output, of its shape or a number for all of it.
        training: the mode.
        dtype: float32 or float64.
        seed: of whatever the component draws, and of its first values.
        shared: use memory as sparingly as a plan may: the output lies over the first input where `alias` allows
            it, and between forward and backward everything is overwritten that `saves` and `scratch` do not keep.

    All memory is full of NaN at first, and inputs cannot be written to: a component that reads what nobody
    wrote, or writes where it must not, is found out.

    Raises:
        ShapeError: the component does not take these inputs.
    """
    arrays = prepare(inputs, module, dtype)
    specs = [spec_of(array) for array in arrays]
    spec = module.infer(*specs)
    module = module.complete(*specs)
    start = initial_state(module, arrays, seed=seed, dtype=dtype) if state is None else state
    params = {name: np.array(start[name], dtype) for name in module.parameters(*specs)}
    buffers = {
        name: np.array(start[name], numpy_dtype(item.kind, dtype)) for name, item in module.buffers(*specs).items()
    }
    upstream = None
    if training and grad_output is not None:
        upstream = np.array(np.broadcast_to(grad_output, spec.shape), dtype)
    alias = module.alias(training=training)
    if alias == "reshape":
        back = [] if upstream is None or specs[0].kind != "float" else [upstream.reshape(arrays[0].shape)]
        return Run(arrays[0].reshape(spec.shape).copy(), params, buffers, [*back])
    site = Site(
        inputs=tuple(arrays),
        output=poisoned(spec, dtype),
        params=params,
        buffers=buffers,
        scratch=_scratch(module, specs, dtype, training=training),
        training=training,
        rng=np.random.default_rng(seed),
        grad_output=upstream,
        grad_inputs=tuple(None if upstream is None or s.kind != "float" else poisoned(s, dtype) for s in specs),
        grads={name: None if upstream is None else poisoned(Spec(p.shape), dtype) for name, p in params.items()},
    )
    if shared:
        _share(site, alias)
    with np.errstate(all="ignore"):
        step = module.bind(site)
        step.forward()
        output = site.output.copy()
        if shared:
            _forget(module, site)
        if step.backward is not None:
            step.backward()
    grads = {name: grad for name, grad in site.grads.items() if grad is not None}
    return Run(output, params, buffers, list(site.grad_inputs), grads)


def _scratch(module: Module, specs: Sequence[Spec], dtype: DType, *, training: bool) -> dict[str, Array]:
    wanted = module.scratch(*specs, training=training)
    return {name: poisoned(Spec(item.shape, item.kind), dtype) for name, item in wanted.items()}


def _share(site: Site, alias: Alias) -> None:
    """Lay the output over the first input, and its gradient over the output's, where a plan may do so."""
    if alias == "in_place":
        own = site.input.copy().reshape(site.output.shape)
        site.inputs, site.output = (own, *site.inputs[1:]), own
        if site.grad_input is not None:
            site.grad_inputs = (site.upstream, *site.grad_inputs[1:])


def _forget(module: Module, site: Site) -> None:
    """Overwrite what backward has not said it reads: a plan lends that memory to others."""
    specs = [spec_of(array) for array in site.inputs]
    names = arity(type(module)).names
    for index, array in enumerate(site.inputs):
        if names[min(index, len(names) - 1)] not in module.saves and array is not site.output:
            array.flags.writeable = True
            array[...] = poisoned(spec_of(array), "float64")
    if "output" not in module.saves:
        site.output[...] = poisoned(spec_of(site.output), "float64")
    for name, item in module.scratch(*specs, training=site.training).items():
        if not item.saved:
            site.scratch[name][...] = poisoned(Spec(item.shape, item.kind), "float64")


def poisoned(spec: Spec, dtype: DType) -> Array:
    """Memory nobody has written to yet: NaN, -1 or true everywhere."""
    fill = {"float": np.nan, "int": -1, "bool": True}[spec.kind]
    return np.full(spec.shape, fill, numpy_dtype(spec.kind, dtype))
