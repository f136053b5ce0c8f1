"""Live parity with PyTorch: Hypothesis draws arguments, shapes and numbers for every component."""

from __future__ import annotations

import inspect
import os
from functools import partial
from typing import Literal

import numpy as np
import pytest
from _pytest.mark import ParameterSet
from hypothesis import given, settings
from hypothesis import strategies as st

from components.cases.case import Bad, Misfit, Subject
from components.cases.tables import PYTORCH, of
from components.harness import DTYPES, assert_close, material, measure
from declnet.core.component import Component, Module
from declnet.core.spec import Array, Spec

pytest.importorskip("torch", reason="PyTorch is not installed: pip install --group torch")

from components import oracle

pytestmark = pytest.mark.torch

PROFILE = settings.get_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

ELSEWHERE = {"device", "dtype", "params", "args", "kwargs"}
"""PyTorch's arguments that a config says in other places."""


@pytest.mark.parametrize("subject", of(Component, PYTORCH))
@PROFILE
@given(data=st.data())
def test_numbers(subject: Subject, data: st.DataObject) -> None:
    case = data.draw(subject.strategy)
    component, numbers = subject(case.arguments), material(subject, case)
    for dtype in DTYPES:
        for training in (True, False) if isinstance(component, Module) else (True,):
            if not (training and case.random):
                actual = measure(component, numbers, dtype, training=training)
                expected = oracle.measure(component, numbers, dtype, training=training)
                assert_close(actual, expected, dtype, case)


STRICT = ("_type", "_forbidden", "missing", "finite_number")
"""Ends of pydantic's errors about what a config is strict in, and Python is not: another type of value, an unknown
argument, one that is left out, and what is infinite or NaN, of which PyTorch for the most part makes NaN.
"""


def refusals(kind: Literal["bad", "misfits"]) -> list[ParameterSet]:
    return [
        pytest.param(subject, item, id=f"{subject}{item}")
        for subject in PYTORCH
        if issubclass(subject.cls, Module)
        for item in getattr(subject, kind)
    ]


@pytest.mark.parametrize(("subject", "misfit"), refusals("misfits"))
def test_misfits_are_pytorchs(subject: Subject, misfit: Misfit) -> None:
    """PyTorch refuses the same inputs; where it does not, the table says why declnet does."""
    rng = np.random.default_rng(0)
    inputs = [array_of(spec, rng) for spec in misfit.inputs]
    component = subject(misfit.arguments)
    assert isinstance(component, Module)
    assert oracle.takes(component, inputs) == bool(misfit.taken)
    if misfit.in_training:
        assert oracle.takes(component, inputs, training=False)


@pytest.mark.parametrize(
    ("subject", "bad"),
    [item for item in refusals("bad") if not item.values[1].type.endswith(STRICT)],
)
def test_bad_arguments_are_pytorchs(subject: Subject, bad: Bad) -> None:
    """PyTorch refuses the same values, at the latest when it runs; where it does not, the table says why."""
    case = subject.cases[0]
    component, inputs = subject.module(case), material(subject, case).inputs
    modes = (True, False)
    taken = any(oracle.takes(component, inputs, bad.arguments, training=training) for training in modes)
    assert taken == bool(bad.taken)


def array_of(spec: Spec, rng: np.random.Generator) -> Array:
    """Numbers that fit a spec."""
    draws = {"float": rng.random, "int": partial(rng.integers, 2), "bool": lambda size: rng.random(size) < 0.5}
    return np.asarray(draws[spec.kind](size=spec.shape))


@pytest.mark.parametrize(
    "cls",
    [pytest.param(subject.cls, id=subject.name) for subject in PYTORCH if subject.cls.pytorch is not None],
)
def test_arguments(cls: type[Component]) -> None:
    """The same names and defaults, in the same order; what is left out has its reason."""
    theirs = inspect.signature(oracle.counterpart(cls)).parameters
    ours = {name: field for name, field in cls.model_fields.items() if name != "type"}
    refused = set(getattr(cls, "refused", ()))
    assert list(ours) == [name for name in theirs if name not in refused | ELSEWHERE]
    assert refused <= set(theirs)
    for name, field in ours.items():
        if theirs[name].default is not inspect.Parameter.empty:
            assert field.default == theirs[name].default, name
