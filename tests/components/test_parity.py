"""Live parity with PyTorch: Hypothesis draws arguments, shapes and numbers for every component."""

from __future__ import annotations

import inspect
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.cases.case import Subject
from components.cases.tables import PYTORCH, of
from components.harness import DTYPES, assert_close, material, measure
from declnet.core.component import Component, Module

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
