"""What holds for every component: its gradients, its contract with a plan, its arguments, its refusals."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from components.cases.case import Bad, BadTarget, Case, Misfit, Subject
from components.cases.tables import SUBJECTS, examples, of
from components.harness import DTYPES, assert_equal, flat, material, measure, specs_of
from declnet import testing
from declnet.config.dump import dump
from declnet.config.plain import plain
from declnet.config.yaml import loads
from declnet.core.component import Component, Loss, Module
from declnet.core.metric import Metric
from declnet.core.registry import Registry, family, losses, metrics, modules, optimizers, schedulers
from declnet.core.spec import numpy_dtype
from declnet.core.wrapper import Wrapper
from declnet.errors import RowError, ShapeError


def has_step(subject: Subject, case: Case) -> bool:
    """Whether a plan makes a step for it, with a backward."""
    return subject.module(case).alias(training=True) != "reshape"


def test_every_component_has_cases() -> None:
    registries: tuple[Registry[Any], ...] = (modules, losses, optimizers, schedulers, metrics)
    registered = {
        name
        for registry in registries
        for name, cls in registry.load().items()
        if family(cls) != "plug-in" and not issubclass(cls, Wrapper)
    }
    assert {subject.name for subject in SUBJECTS if subject.cases} == registered
    assert len(SUBJECTS) == len(registered)


@pytest.mark.parametrize(("subject", "case"), examples(Module, lambda _, case: not case.rough))
def test_gradients(subject: Subject, case: Case) -> None:
    numbers = material(subject, case)
    if numbers.grad_output is not None:
        testing.check_gradients(subject.module(case), numbers.inputs, state=numbers.state)


@pytest.mark.parametrize(("subject", "case"), examples(Component))
def test_output(subject: Subject, case: Case) -> None:
    """The same bits each time, in either mode, and of a module what it infers."""
    component, numbers, specs = subject(case.arguments), material(subject, case), specs_of(case)
    for dtype, training in product(DTYPES, (True, False)):
        first, second = (measure(component, numbers, dtype, training=training) for _ in range(2))
        assert_equal(first, second)
        if isinstance(component, Module):
            spec = component.infer(*specs)
            assert component.complete(*specs).infer(*specs) == spec
            output = first["output"]
            assert (output.shape, output.dtype) == (spec.shape, numpy_dtype(spec.kind, dtype))
            assert training or {name.partition(".")[0] for name in first} <= {"output", "buffers"}


@pytest.mark.parametrize(("subject", "case"), examples(Module))
def test_shared_memory(subject: Subject, case: Case) -> None:
    """In place where that is allowed, and with all memory lost that is not declared to be kept."""
    module, numbers = subject.module(case), material(subject, case)
    for dtype in DTYPES:
        assert_equal(measure(module, numbers, dtype, shared=True), measure(module, numbers, dtype))


@pytest.mark.parametrize(("subject", "case"), examples(Module, has_step))
def test_a_step_again(subject: Subject, case: Case) -> None:
    """A plan binds once and runs often: nothing is left over."""
    module, numbers = subject.module(case), material(subject, case)
    for dtype in DTYPES:
        expected = measure(module, numbers, dtype)
        bound = testing.Bound(
            module, numbers.inputs, state=numbers.state, grad_output=numbers.grad_output, dtype=dtype
        )
        for _ in range(2):
            assert_equal(flat(bound.run(seed=0)), expected)


@pytest.mark.parametrize(("subject", "case"), examples(Module, has_step))
def test_gradients_on_their_own(subject: Subject, case: Case) -> None:
    """A frozen parameter and an input that nobody differentiates have no place for a gradient."""
    module, numbers = subject.module(case), material(subject, case)
    whole = testing.run(module, numbers.inputs, state=numbers.state, grad_output=numbers.grad_output)
    for name, gradient in whole.gradients.items():
        expected = replace(
            whole,
            grad_inputs=[each if each is gradient else None for each in whole.grad_inputs],
            grads={key: each for key, each in whole.grads.items() if each is gradient},
        )
        assert_equal(measure(module, numbers, "float64", wanted={name}), flat(expected))


@pytest.mark.parametrize(("subject", "case"), examples(Module))
def test_flops(subject: Subject, case: Case) -> None:
    """A whole number, above 0 just where there is something to compute."""
    specs, module = specs_of(case), subject.module(case)
    flops = module.flops(*specs)
    assert isinstance(flops, int)
    some = specs[0].size > 0 and module.infer(*specs).size > 0
    assert (flops > 0) == (has_step(subject, case) and some)


@pytest.mark.parametrize(("subject", "case"), examples(Component))
def test_config_round_trip(subject: Subject, case: Case) -> None:
    """Written out as a config, with every default, and read back: the same component."""
    component = subject(case.arguments)
    complete = component.complete(*specs_of(case)) if isinstance(component, Module) else component
    for written in (component, complete):
        data = plain(written, Path())
        assert isinstance(data, dict)
        assert list(data) == ["type", *(name for name in subject.cls.model_fields if name != "type")]
        assert subject(loads(dump(data), "config").data) == written


@pytest.mark.parametrize("subject", of(Component))
def test_arguments_are_closed(subject: Subject) -> None:
    """No argument takes anything at all, no other is taken, and none can be changed afterwards."""
    good = subject.cases[0].arguments
    for name in (*subject.cls.model_fields, "nonsense"):
        with pytest.raises(ValidationError) as caught:
            subject({**good, name: object()})
        assert {error["loc"][0] for error in caught.value.errors()} == {name}
        with pytest.raises(ValidationError, match="frozen"):
            setattr(subject(good), name, None)


@pytest.mark.parametrize(
    ("subject", "bad"),
    [pytest.param(subject, bad, id=f"{subject}({bad.arguments})") for subject in SUBJECTS for bad in subject.bad],
)
def test_bad_arguments(subject: Subject, bad: Bad) -> None:
    with pytest.raises(ValidationError) as caught:
        subject(bad.arguments)
    assert [(error["type"], error["loc"]) for error in caught.value.errors()] == [(bad.type, bad.where)]
    if bad.message:
        assert caught.value.errors()[0]["msg"] == bad.message


@pytest.mark.parametrize(
    ("subject", "misfit"),
    [
        pytest.param(subject, misfit, id=f"{subject}({misfit.arguments}) {' '.join(map(str, misfit.inputs))}")
        for subject in SUBJECTS
        for misfit in subject.misfits
    ],
)
def test_misfits(subject: Subject, misfit: Misfit) -> None:
    component = subject(misfit.arguments)
    assert isinstance(component, Module | Metric)
    look = component.infer if isinstance(component, Module) else component.check
    if misfit.in_training:
        assert isinstance(component, Module)
        component.infer(*misfit.inputs)
        component.scratch(*misfit.inputs, training=False)
        look = partial(component.scratch, training=True)
    with pytest.raises(ShapeError) as caught:
        look(*misfit.inputs)
    error = caught.value
    assert (error.message, error.field, error.argument) == (misfit.message, misfit.field, misfit.argument)
    assert misfit.field is None or misfit.field in subject.cls.model_fields


@pytest.mark.parametrize(
    ("subject", "bad"),
    [pytest.param(s, bad, id=f"{s}({bad.arguments}) {bad.target}") for s in SUBJECTS for bad in s.bad_targets],
)
def test_bad_targets(subject: Subject, bad: BadTarget) -> None:
    component = subject(bad.arguments)
    assert isinstance(component, Loss | Metric)
    with pytest.raises(RowError) as caught:
        component.check_target(bad.input, np.array(bad.target))
    assert (caught.value.message, caught.value.row) == (bad.message, bad.row)


@pytest.mark.parametrize(("subject", "case"), examples(Loss, lambda _, case: len(case.inputs[0].shape) > 0))
def test_targets_of_cases_are_fine(subject: Subject, case: Case) -> None:
    loss, target = subject(case.arguments), material(subject, case).inputs[-1]
    assert isinstance(loss, Loss)
    loss.check_target(specs_of(case)[0], np.atleast_1d(target))


@pytest.mark.parametrize(("subject", "case"), examples(Metric))
def test_metric_of_pieces(subject: Subject, case: Case) -> None:
    """A figure of the whole split, however it is cut; the arrays are only lent, and not written to."""
    metric, inputs = subject(case.arguments), material(subject, case).inputs
    assert isinstance(metric, Metric)
    output, target = specs_of(case)
    metric.check(output, target)
    metric.check_target(output, inputs[1])
    meter = metric.meter(output, target, probabilities=False)
    with np.errstate(all="ignore"):
        for rows in filter(len, np.split(np.arange(len(inputs[1])), (1, 3))):
            lent = [array[rows] for array in inputs]
            meter.update(*lent)
            for array, given in zip(lent, inputs, strict=True):
                np.testing.assert_array_equal(array, given[rows])
                array[...] = 0
        whole = measure(metric, material(subject, case), "float64")["output"]
        np.testing.assert_allclose(np.array(meter.result()), whole, rtol=1e-12, atol=1e-12)
