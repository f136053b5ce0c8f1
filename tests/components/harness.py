"""Runs a case with declnet; `oracle` runs it with PyTorch, and gives the same names.

Results are flat: `output`, `grad_inputs.0`, `grads.weight`, `buffers.running_mean`; for an optimizer `params`,
after each step, and `state.exp_avg`, after the last; for a scheduler `lr`, `momentum` and `beta1` of each
group in each period.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import takewhile

import numpy as np

from components.cases.case import STEPS, TOLERANCES, Case, Subject, landscape
from declnet import testing
from declnet.core.component import Component, Module
from declnet.core.metric import Metric
from declnet.core.optimizer import Optimizer
from declnet.core.registry import optimizers
from declnet.core.scheduler import Scheduled, Scheduler
from declnet.core.spec import Array, DType, Spec, numpy_dtype
from declnet.runner.schedule import Schedule as GroupSchedule
from declnet.testing import Descent, Run, Schedule, run, spec_of

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
    component: Component,
    material: Material,
    dtype: DType,
    *,
    training: bool = True,
    shared: bool = False,
    wanted: Collection[str] | None = None,
) -> Results:
    """Run a component on its material; `shared` and `wanted` as in `declnet.testing.run`."""
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
                wanted=wanted,
            )
        )
    inputs = material.cast(dtype).inputs
    if isinstance(component, Metric):
        meter = component.meter(*map(spec_of, inputs), probabilities=False)
        with np.errstate(all="ignore"):  # as in a run: what overflows shows in the figure
            meter.update(*inputs)
            return {"output": np.array(meter.result())}
    if isinstance(component, Optimizer):
        return optimize(component, *inputs)
    if isinstance(component, Scheduler):
        return schedule(component, *inputs)
    raise TypeError(f"no way to run a {type(component).__name__}")


def schedule(scheduler: Scheduler, lrs: Array, figures: Array) -> Results:
    """For as many periods as there are figures: the rates, the momentum of SGD and the first beta of Adam."""
    scheduled = Scheduled(scheduler.complete(len(figures)), "epoch", monitor="figure")
    kinds = [{"type": "SGD", "momentum": 0.9}, {"type": "Adam"}]
    given = [[optimizers[kind["type"]].model_validate(kind | {"lr": lr}) for lr in lrs.tolist()] for kind in kinds]
    schedules = [GroupSchedule(scheduled, groups) for groups in given]
    sgd, adam = [], []
    for epoch, figure in enumerate(figures.tolist(), 1):
        for found, each in zip((sgd, adam), schedules, strict=True):
            found.append([settings.model_dump() for settings in each.at(epoch, 0)])
            each.watch({"epoch": epoch, "figure": figure})
    return {
        "lr": np.array([[group["lr"] for group in row] for row in sgd]),
        "momentum": np.array([[group["momentum"] for group in row] for row in sgd]),
        "beta1": np.array([[group["betas"][0] for group in row] for row in adam]),
    }


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
    found = descend(optimizer, param, gradients, dtype, schedule=halving(optimizer))
    state = {} if optimizer.calls_closure else found.state
    arrays = {name: a.reshape(param.shape) if a.shape == (param.size,) else a for name, a in sorted(state.items())}
    params = np.stack(found.params).reshape(gradients.shape)
    return {"params": params} | {f"state.{name}": array for name, array in arrays.items()}


def halving(optimizer: Optimizer) -> Schedule:
    """Half the learning rate after half of the steps."""
    slower = optimizer.model_copy(update={"lr": optimizer.lr / 2})
    return lambda step: optimizer if step <= STEPS // 2 else slower


def descend(
    optimizer: Optimizer,
    param: Array,
    gradients: Array,
    dtype: DType,
    *,
    first: int = 1,
    state: Mapping[str, Array] | None = None,
    schedule: Schedule | None = None,
) -> Descent:
    """A step for each gradient, or down the `landscape` that each row tilts."""
    if not optimizer.calls_closure:
        rows = list(gradients)
        return testing.optimize(optimizer, param, rows, first=first, state=state, schedule=schedule, dtype=dtype)
    hills = [partial(landscape, row) for row in gradients.reshape(len(gradients), -1)]
    start = param.reshape(-1)
    return testing.minimize(optimizer, hills, start, first=first, state=state, schedule=schedule, dtype=dtype)


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
