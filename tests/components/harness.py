"""Runs a case with declnet; `oracle` runs it with PyTorch, and gives the same names.

Results are flat: `output`, `grad_inputs.0`, `grads.weight`, `buffers.running_mean`; for an optimizer `params`,
after each step, and `state.exp_avg`, after the last.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import takewhile

import numpy as np

from components.cases.case import STEPS, TOLERANCES, Case, Subject, landscape
from declnet.core.component import Component, Module, Site
from declnet.core.metric import Metric
from declnet.core.optimizer import Group, Optimizer
from declnet.core.spec import Array, DType, Spec, numpy_dtype
from declnet.testing import Run, optimizer_state, poisoned, run, spec_of

DTYPES: tuple[DType, ...] = ("float64", "float32")

Results = dict[str, Array]


@dataclass(frozen=True)
class Material:
    """The numbers of a case, in float64: what both sides start from."""

    inputs: tuple[Array, ...]
    state: dict[str, Array]
    grad_output: Array | None = None

    def flat(self) -> dict[str, Array]:
        """Under names that `of` understands."""
        flat = {f"inputs.{index}": array for index, array in enumerate(self.inputs)}
        flat |= {f"state.{name}": array for name, array in self.state.items()}
        return flat if self.grad_output is None else flat | {"grad_output": self.grad_output}

    @classmethod
    def of(cls, flat: Mapping[str, Array]) -> Material:
        """Back from `flat`; other names are left alone."""
        inputs = takewhile(flat.__contains__, (f"inputs.{index}" for index in range(len(flat))))
        state = {key.removeprefix("state."): array for key, array in flat.items() if key.startswith("state.")}
        return cls(tuple(flat[key] for key in inputs), state, flat.get("grad_output"))

    def cast(self, dtype: DType) -> Material:
        """In the dtypes that a config of this dtype has."""

        def to(array: Array) -> Array:
            return np.array(array, numpy_dtype(spec_of(array).kind, dtype), order="C")

        grad_output = None if self.grad_output is None else to(self.grad_output)
        return Material(tuple(map(to, self.inputs)), {k: to(a) for k, a in self.state.items()}, grad_output)


def specs_of(case: Case) -> tuple[Spec, ...]:
    """What a case's inputs look like."""
    return tuple(spec_of(draw(np.random.default_rng(case.seed))) for draw in case.inputs)


def material(subject: Subject, case: Case) -> Material:
    """Draw the inputs, first values in the subject's ranges, and the gradient of a floating-point output."""
    rng = np.random.default_rng(case.seed)
    inputs = tuple(draw(rng) for draw in case.inputs)
    module = subject(case.arguments)
    if not isinstance(module, Module):
        return Material(inputs, {})
    specs = [spec_of(array) for array in inputs]
    state = {
        name: rng.uniform(*subject.ranges.get(name, (-1, 1)), parameter.shape)
        for name, parameter in module.parameters(*specs).items()
    }
    for name, buffer in module.buffers(*specs).items():
        value = buffer.value if name not in subject.ranges else rng.uniform(*subject.ranges[name], buffer.shape)
        state[name] = np.full(buffer.shape, value, numpy_dtype(buffer.kind, "float64"))
    output = module.infer(*specs)
    return Material(inputs, state, rng.normal(size=output.shape) if output.kind == "float" else None)


def measure(
    component: Component, material: Material, dtype: DType, *, training: bool = True, shared: bool = False
) -> Results:
    """Run a component on its material; `shared` as in `declnet.testing.run`."""
    if isinstance(component, Module):
        return flat(
            run(
                component,
                material.inputs,
                state=material.state,
                grad_output=material.grad_output,
                training=training,
                dtype=dtype,
                shared=shared,
            )
        )
    inputs = material.cast(dtype).inputs
    if isinstance(component, Metric):
        meter = component.meter()
        meter.update(*inputs)
        return {"output": np.array(meter.result())}
    if isinstance(component, Optimizer):
        return optimize(component, *inputs)
    raise TypeError(f"no way to run a {type(component).__name__}")


def flat(result: Run) -> Results:
    """What a run gave, by name."""
    grad_inputs = {f"grad_inputs.{i}": grad for i, grad in enumerate(result.grad_inputs) if grad is not None}
    grads = {f"grads.{name}": grad for name, grad in result.grads.items()}
    return {"output": result.output} | grad_inputs | grads | {f"buffers.{n}": b for n, b in result.buffers.items()}


def optimize(optimizer: Optimizer, param: Array, gradients: Array) -> Results:
    """A step for each gradient, the later half of them at half the learning rate.

    What an optimizer keeps that calls the closure itself is left out: near a minimum it is all rounding.
    """
    dtype: DType = "float32" if param.dtype == np.float32 else "float64"
    vector, grad = param.reshape(-1).copy(), np.empty(param.size, dtype)
    state = optimizer_state(optimizer, param.size, dtype)
    row = grad

    def closure() -> float:
        loss, grad[...] = landscape(row, vector)
        return loss

    update = optimizer.bind(Group(vector, grad, state), closure)
    slower = optimizer.model_copy(update={"lr": optimizer.lr / 2})
    trace = []
    with np.errstate(all="ignore"):
        for step, row in enumerate(gradients.reshape(len(gradients), -1), 1):
            grad[...] = row
            update(optimizer if step <= STEPS // 2 else slower, step)
            trace.append(vector.reshape(param.shape).copy())
    kept = {} if optimizer.calls_closure else state
    arrays = {name: a.reshape(param.shape) if a.shape == vector.shape else a for name, a in sorted(kept.items())}
    return {"params": np.stack(trace)} | {f"state.{name}": array for name, array in arrays.items()}


def assert_close(actual: Results, expected: Results, dtype: DType, case: Case) -> None:
    """The same names in the same order, the same shapes and kinds, and numbers as near as the case demands."""
    assert list(actual) == list(expected)
    tolerance = case.tolerance.get(dtype, TOLERANCES[dtype])
    for name, wanted in expected.items():
        given = actual[name]
        assert (name, given.shape, given.dtype.kind) == (name, wanted.shape, wanted.dtype.kind)
        np.testing.assert_allclose(
            given, wanted, tolerance.rtol, tolerance.atol, err_msg=f"{dtype} {name} of {case!r}"
        )


def assert_equal(actual: Results, expected: Results) -> None:
    """The same to the last bit."""
    assert list(actual) == list(expected)
    for name, wanted in expected.items():
        assert (actual[name].dtype, actual[name].shape) == (wanted.dtype, wanted.shape)
        np.testing.assert_array_equal(actual[name], wanted, err_msg=name)


class Bound:
    """A module bound in training with a place for the gradients in `wanted` only, to be run as often as one likes.

    The inputs and the output's gradient cannot be written to: in a plan both may be read again.
    """

    def __init__(self, module: Module, material: Material, dtype: DType, wanted: Collection[str]) -> None:
        self.material = material.cast(dtype)
        specs = [spec_of(array) for array in self.material.inputs]
        module = module.complete(*specs)
        params, buffers = module.parameters(*specs), module.buffers(*specs)
        places = {f"grad_inputs.{index}": spec for index, spec in enumerate(specs)}
        places |= {f"grads.{name}": Spec(parameter.shape) for name, parameter in params.items()}
        self.gradients = {name: poisoned(spec, dtype) for name, spec in places.items() if name in wanted}
        scratch = module.scratch(*specs, training=True)
        self.site = Site(
            inputs=self.material.inputs,
            output=poisoned(module.infer(*specs), dtype),
            params={name: self.material.state[name].copy() for name in params},
            buffers={name: self.material.state[name].copy() for name in buffers},
            scratch={name: poisoned(Spec(item.shape, item.kind), dtype) for name, item in scratch.items()},
            training=True,
            rng=np.random.default_rng(0),
            grad_output=self.material.grad_output,
            grad_inputs=tuple(self.gradients.get(f"grad_inputs.{index}") for index in range(len(specs))),
            grads={name: self.gradients.get(f"grads.{name}") for name in params},
        )
        lent = (*self.site.inputs, self.site.grad_output)
        for array in (item for item in lent if item is not None):
            array.flags.writeable = False
        self.step = module.bind(self.site)

    def run(self) -> Results:
        """Forward and backward; parameters, which Embedding's max_norm changes, and buffers start anew."""
        for name, array in (*self.site.params.items(), *self.site.buffers.items()):
            array[...] = self.material.state[name]
        with np.errstate(all="ignore"):
            self.step.forward()
            if self.step.backward is not None:
                self.step.backward()
        buffers = {f"buffers.{name}": array for name, array in self.site.buffers.items()}
        return {name: a.copy() for name, a in ({"output": self.site.output} | self.gradients | buffers).items()}
