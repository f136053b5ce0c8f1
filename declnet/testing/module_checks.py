"""What holds for every module, whatever it computes: each check takes it and arrays it is run on."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from declnet.core.component import Module, arity
from declnet.core.spec import Array, DType
from declnet.core.suggest import any_of
from declnet.testing.arrays import initial_state, spec_of
from declnet.testing.class_checks import require
from declnet.testing.gradients import check_gradients
from declnet.testing.run import Bound, Run, run

DTYPES: tuple[DType, ...] = ("float32", "float64")

ROUNDING = 1e-3
"""How far float32 may be from float64, relative to the largest number: several thousand roundings."""


def _upstream(module: Module, inputs: Sequence[Array]) -> Array:
    shape = module.infer(*map(spec_of, inputs)).shape
    return np.asarray(np.random.default_rng(1).standard_normal(shape))


def _names(module: Module, inputs: Sequence[Array]) -> None:
    names = arity(type(module)).names
    for name in module.saves:
        known = (*names, "output")
        require(name in known, f"saves names {name!r}; there is {any_of(known, 'and')}")
    for name in initial_state(module, inputs):
        require(name not in names, f"an input and a parameter or buffer are both called {name}")


def _all_written(module: Module, inputs: Sequence[Array]) -> None:
    for dtype, training in itertools.product(DTYPES, (True, False)):
        output = run(module, inputs, dtype=dtype, training=training).output
        where = f"in {dtype}, {'training' if training else 'evaluation'}"
        require(not np.isnan(output).any(), f"the output holds NaN {where}; was all of it written?")


def _same_numbers(module: Module, inputs: Sequence[Array]) -> None:
    bound = Bound(module, inputs, grad_output=1.0, seed=3)
    first = bound.run(seed=3)
    another = run(module, inputs, grad_output=1.0, seed=3)
    _same(first, another, "when it is bound again with the same seed: numbers are drawn from site.rng alone")
    _same(first, bound.run(seed=3), "in a second run: what a run leaves behind is not to be read by the next")


def _both_dtypes(module: Module, inputs: Sequence[Array]) -> None:
    """What draws numbers draws others in the other dtype; there is nothing to compare."""
    upstream = _upstream(module, inputs)
    state = initial_state(module, inputs)

    def at(dtype: DType, seed: int = 0) -> Run:
        return run(module, inputs, state=state, grad_output=upstream, dtype=dtype, seed=seed)

    double, single, otherwise = at("float64"), at("float32"), at("float64", seed=1)
    if not np.array_equal(double.output, otherwise.output):
        return
    for name, one, other in _pairs(double, single):
        largest = float(np.max(np.abs(one), initial=1, where=np.isfinite(one)))
        far = np.argwhere(~np.isclose(other, one, rtol=0, atol=ROUNDING * largest, equal_nan=True))
        for index in map(tuple, far[:1]):
            numbers = f"{other[index]:.6g} in float32 and {one[index]:.6g} in float64"
            raise AssertionError(f"the {name} at [{', '.join(map(str, index))}] is {numbers}")


def _gradients(module: Module, inputs: Sequence[Array]) -> None:
    check_gradients(module, inputs)


def _gradients_alone(module: Module, inputs: Sequence[Array]) -> None:
    upstream = _upstream(module, inputs)
    whole = run(module, inputs, grad_output=upstream)
    for name in whole.gradients:
        when = f"where only the gradient of {name} is wanted: the places of the others are None"
        try:
            alone = run(module, inputs, grad_output=upstream, wanted={name})
        except Exception as error:
            error.add_note(when)
            raise
        _same(alone, whole, when)


def _shared_memory(module: Module, inputs: Sequence[Array]) -> None:
    upstream = _upstream(module, inputs)
    for dtype in DTYPES:
        plain, bound = (
            Bound(module, inputs, grad_output=upstream, dtype=dtype, shared=shared) for shared in (False, True)
        )
        expected = plain.run(seed=0)
        over = "where the output lies over the first input, and that one's gradient over the output's: see `alias`"
        _same(expected, bound.run(seed=0), over)
        for name in bound.lendable:
            when = f"when {name} is overwritten between forward and backward: see `saves` and `scratch`"
            _same(expected, bound.run(seed=0, lend={name}), when)


def _state_stays(module: Module, inputs: Sequence[Array]) -> None:
    start = initial_state(module, inputs)
    for training in (True, False):
        found = run(module, inputs, grad_output=1.0, training=training)
        step = "a training step" if training else "evaluation"
        for name, param in found.params.items():
            same = np.array_equal(param, start[name]) or module.changes_parameters
            require(same, f"{step} changes the parameter {name}, which only an optimizer may")
        for name, buffer in found.buffers.items():
            same = np.array_equal(buffer, start[name], equal_nan=buffer.dtype.kind == "f")
            require(training or same, f"{step} changes the buffer {name}")


def _figures(module: Module, inputs: Sequence[Array]) -> None:
    specs = [spec_of(array) for array in inputs]
    require(module.flops(*specs) >= 0, "flops is negative")
    completed = module.complete(*specs)
    require(completed.infer(*specs) == module.infer(*specs), "complete changes what infer says")
    again = type(module).model_validate({name: getattr(completed, name) for name in type(module).model_fields})
    require(again == completed, "the completed component does not come back from its arguments")


def _pairs(first: Run, second: Run) -> Iterator[tuple[str, Array, Array]]:
    """What both runs gave, by name."""
    yield "output", first.output, second.output
    yield from ((f"buffer {name}", array, second.buffers[name]) for name, array in first.buffers.items())
    yield from ((f"gradient of {name}", array, second.gradients[name]) for name, array in first.gradients.items())


def _same(first: Run, second: Run, when: str) -> None:
    """Require two runs to agree in all that the first one gave."""
    for name, one, other in _pairs(first, second):
        require(np.array_equal(one, other, equal_nan=one.dtype.kind == "f"), f"the {name} changes {when}")


MODULE_CHECKS: tuple[Callable[[Module, Sequence[Array]], None], ...] = (
    _names,
    _all_written,
    _same_numbers,
    _gradients,
    _gradients_alone,
    _both_dtypes,
    _shared_memory,
    _state_stays,
    _figures,
)
