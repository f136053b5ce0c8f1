"""Run one component on given arrays, bound as in a plan."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from declnet.core.component import Module, Site, Step, arity
from declnet.core.spec import Array, DType, Spec, numpy_dtype
from declnet.core.suggest import any_of
from declnet.records import record
from declnet.testing.arrays import Inputs, initial_state, input_names, lent, overrun, poison, prepare, room, spec_of


@record
class Run:
    """What a component gave. Gradients are there in training, given an upstream one; not of or through integers."""

    output: Array
    params: dict[str, Array]
    buffers: dict[str, Array]
    grad_inputs: list[Array | None]
    grads: dict[str, Array]
    inputs: tuple[str, ...]
    """The names of the inputs."""

    @property
    def gradients(self) -> dict[str, Array]:
        """All gradients there are, by the names of inputs and parameters."""
        named = zip(self.inputs, self.grad_inputs, strict=True)
        return {name: gradient for name, gradient in named if gradient is not None} | self.grads


class Bound:
    """A module bound to arrays once, as a plan does it, to be run as often as one likes; it takes what `run` takes.

    All memory is full of NaN at first and has margins that nobody may write to; inputs and the gradient of the
    output cannot be written to.
    """

    lendable: dict[str, Array]
    """The memory, by name, whose contents a plan does not keep from forward to backward."""

    def __init__(
        self,
        module: Module,
        inputs: Inputs,
        *,
        state: Mapping[str, Array] | None = None,
        grad_output: Array | float | None = None,
        training: bool = True,
        dtype: DType = "float64",
        seed: int = 0,
        shared: bool = False,
        wanted: Collection[str] | None = None,
    ) -> None:
        arrays = prepare(inputs, module, dtype)
        specs = [spec_of(array) for array in arrays]
        spec = module.infer(*specs)
        self.names = input_names(module, len(arrays))
        self.module = module.complete(*specs)
        start = initial_state(self.module, arrays, seed=seed, dtype=dtype) if state is None else state
        params, buffers = _lasting(self.module, specs, start, dtype)
        upstream = None
        places: dict[str, Array] = {}
        if training and grad_output is not None and spec.kind == "float":
            upstream = np.array(np.broadcast_to(grad_output, spec.shape), dtype)
            gradients = dict(zip(self.names, specs, strict=True)) | {n: Spec(p.shape) for n, p in params.items()}
            places = _places(gradients, wanted, dtype)
        memory = [array.copy() for array in arrays]
        scratch = self.module.scratch(*specs, training=training)
        self.site = Site(
            inputs=tuple(map(lent, memory)),
            output=room(spec, dtype),
            params=params,
            buffers=buffers,
            scratch={name: room(Spec(item.shape, item.kind), dtype) for name, item in scratch.items()},
            training=training,
            rng=np.random.default_rng(seed),
            grad_output=lent(upstream) if upstream is not None and places else None,
            grad_inputs=tuple(places.get(name) for name in self.names),
            grads={name: places.get(name) for name in params},
        )
        self._rooms = {"output": self.site.output} | {f"scratch {n}": a for n, a in self.site.scratch.items()}
        self._rooms |= {f"gradient of {name}": place for name, place in places.items()}
        lasting = params | buffers | ({} if upstream is None else {"grad_output": upstream})
        self._start = {name: (array, array.copy()) for name, array in lasting.items()}
        self._start |= {name: (own, array) for name, own, array in zip(self.names, memory, arrays, strict=True)}
        alias = self.module.alias(training=training)
        if shared and alias == "in_place" and specs[0] == spec:
            _lay_over(self.site, memory[0], upstream)
        unsaved = [f"scratch {name}" for name, item in scratch.items() if not item.saved]
        self.lendable = self._unsaved_values(memory) | {name: self._rooms[name] for name in unsaved}
        with self._noted("bind"):
            self._step = _reshaping(self.site) if alias == "reshape" else self.module.bind(self.site)

    def _unsaved_values(self, memory: Sequence[Array]) -> dict[str, Array]:
        """Inputs and output that backward has not said it reads."""
        names, saves = arity(type(self.module)).names, self.module.saves
        declared = [names[min(index, len(names) - 1)] for index in range(len(memory))]
        values = {
            name: array
            for name, own, array in zip(self.names, declared, memory, strict=True)
            if own not in saves and not np.shares_memory(array, self.site.output)
        }
        return values if "output" in saves else values | {"output": self.site.output}

    def run(
        self,
        *,
        changed: Mapping[str, Array] | None = None,
        seed: int | None = None,
        lend: Collection[str] = (),
    ) -> Run:
        """Forward and backward; inputs, parameters and buffers start anew each time.

        Args:
            changed: other values, by name, for some of them in this run.
            seed: of whatever the component draws; left out, it draws on.
            lend: names of `lendable`: what is overwritten between forward and backward.

        Raises:
            AssertionError: the component has written where it must not.
        """
        site = self.site
        for name, (array, first) in self._start.items():
            array[...] = first if changed is None else changed.get(name, first)
        if seed is not None:
            site.rng.bit_generator.state = np.random.default_rng(seed).bit_generator.state
        with np.errstate(all="ignore"):
            with self._noted("forward"):
                self._step.forward()
            output = site.output.copy()
            for name in lend:
                poison(self.lendable[name])
            if self._step.backward is not None:
                with self._noted("backward"):
                    self._step.backward()
        for name, array in self._rooms.items():
            if overrun(array):
                raise AssertionError(f"something was written beyond the {name}")
        return Run(
            output,
            {name: array.copy() for name, array in site.params.items()},
            {name: array.copy() for name, array in site.buffers.items()},
            [None if gradient is None else gradient.copy() for gradient in site.grad_inputs],
            {name: gradient.copy() for name, gradient in site.grads.items() if gradient is not None},
            self.names,
        )

    @contextmanager
    def _noted(self, where: str) -> Iterator[None]:
        """Let an exception of the component's say what it was about."""
        try:
            yield
        except Exception as error:
            error.add_note(
                f"in {where}, with inputs {' '.join(str(array.shape) for array in self.site.inputs)} and, as infer "
                f"says, an output {self.site.output.shape}; inputs and grad_output cannot be written to"
            )
            raise


def _lasting(
    module: Module, specs: Sequence[Spec], start: Mapping[str, Array], dtype: DType
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Copies of the parameters and the buffers."""
    kinds = {name: numpy_dtype(item.kind, dtype) for name, item in module.buffers(*specs).items()}
    params = {name: np.array(start[name], dtype) for name in module.parameters(*specs)}
    return params, {name: np.array(start[name], kind) for name, kind in kinds.items()}


def _lay_over(site: Site, memory: Array, upstream: Array | None) -> None:
    """Lay the output over the first input, and that one's gradient over the output's."""
    site.output = memory.reshape(site.output.shape)
    if site.grad_input is not None:
        site.grad_inputs = (upstream, *site.grad_inputs[1:])


def _places(gradients: Mapping[str, Spec], wanted: Collection[str] | None, dtype: DType) -> dict[str, Array]:
    """Memory for the gradients that are wanted; integers and booleans have none."""
    known = {name: spec for name, spec in gradients.items() if spec.kind == "float"}
    for name in wanted or ():
        if name not in known:
            raise ValueError(f"there is no gradient of {name!r}, only of {any_of(known, 'and')}")
    return {name: room(spec, dtype) for name, spec in known.items() if wanted is None or name in wanted}


def _reshaping(site: Site) -> Step:
    """What stands for a component that only reshapes: in a plan its output is its input's memory."""
    flat, grad_input = site.input.reshape(site.output.shape), site.grad_input

    def forward() -> None:
        np.copyto(site.output, flat)

    def backward() -> None:
        if grad_input is not None:
            np.copyto(grad_input, site.upstream.reshape(grad_input.shape))

    return Step(forward, backward)


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
    wanted: Collection[str] | None = None,
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
        wanted: the inputs and parameters, by name, that have a place for their gradient, as in a plan where the
            others are frozen or nobody differentiates them; left out, all. Of a variadic component the inputs
            are called `inputs[0]`, `inputs[1]`, ...

    All memory is full of NaN at first, and inputs cannot be written to: a component that reads what nobody
    wrote, or writes where it must not, is found out.

    Raises:
        ShapeError: the component does not take these inputs.
        ValueError: the component writes to an input, or there is no gradient of something that is wanted.
        AssertionError: the component writes beyond an array.
    """
    bound = Bound(
        module,
        inputs,
        state=state,
        grad_output=grad_output,
        training=training,
        dtype=dtype,
        seed=seed,
        shared=shared,
        wanted=wanted,
    )
    return bound.run(lend=bound.lendable if shared else ())
