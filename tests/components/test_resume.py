"""A checkpoint of an optimizer is its state: whoever takes that up goes on with the same bits."""

from __future__ import annotations

import numpy as np
import pytest

from components.cases.case import Case, Subject
from components.cases.tables import examples
from components.harness import DTYPES, descend, halving, material
from declnet.core.optimizer import Optimizer
from declnet.core.spec import DType


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("subject", "case"), examples(Optimizer))
def test_resume(subject: Subject, case: Case, dtype: DType) -> None:
    """In one go, and bound anew to copies before each step, with what was in memory lost."""
    optimizer, (param, gradients) = subject.optimizer(case), material(subject, case).inputs
    schedule, state = halving(optimizer), None
    straight = descend(optimizer, param, gradients, dtype, schedule=schedule)
    for step, row in enumerate(gradients, 1):
        one = descend(optimizer, param, row[None], dtype, first=step, state=state, schedule=schedule)
        (param,), state = one.params, one.state
        np.testing.assert_array_equal(param, straight.params[step - 1])
    np.testing.assert_equal(state, straight.state)
