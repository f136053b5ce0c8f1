"""What holds for every optimizer beyond its numbers."""

from __future__ import annotations

import numpy as np
import pytest

from components.cases.case import STEPS, Case, Subject
from components.cases.tables import examples, of
from components.harness import DTYPES, material, measure
from declnet import testing
from declnet.core.numerics import BLOCK
from declnet.core.optimizer import Optimizer
from declnet.core.spec import Array, DType


def is_elementwise(subject: Subject, case: Case) -> bool:
    """Whether each element moves on its own, and there are some."""
    return not subject.optimizer(case).calls_closure and case.inputs[0].shape == (7,)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("subject", "case"), examples(Optimizer, is_elementwise))
def test_blocks(subject: Subject, case: Case, dtype: DType) -> None:
    """A vector of several blocks moves as its elements do where they are few."""
    optimizer, (param, gradients) = subject.optimizer(case), material(subject, case).inputs
    copies = 2 * BLOCK // param.size + 1
    few = testing.optimize(optimizer, param, list(gradients[:3]), dtype=dtype)
    many = testing.optimize(
        optimizer, np.tile(param, copies), [np.tile(gradient, copies) for gradient in gradients[:3]], dtype=dtype
    )
    for short, long in zip(few, many, strict=True):
        np.testing.assert_array_equal(long, np.tile(short, copies))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("subject", of(Optimizer))
def test_tools(subject: Subject, dtype: DType) -> None:
    """`optimize` gives what the harness does while the learning rate is the same; `minimize` evaluates where
    the parameters are.
    """
    for case in subject.cases:
        optimizer, numbers = subject.optimizer(case), material(subject, case)
        param, gradients = numbers.inputs
        if not optimizer.calls_closure:
            trace = testing.optimize(optimizer, param, list(gradients[: STEPS // 2]), dtype=dtype)
            expected = measure(optimizer, numbers, dtype)["params"][: STEPS // 2]
            np.testing.assert_array_equal(np.stack(trace), expected)

        def bowl(at: Array) -> tuple[float, Array]:
            return float(np.sum(at * at)), 2 * at

        with np.errstate(all="ignore"):
            path = testing.minimize(optimizer, bowl, param, 3, dtype=dtype)
        if not optimizer.calls_closure:
            slopes = [bowl(at.astype(dtype))[1] for at in (param, *path[:-1])]
            np.testing.assert_array_equal(path, testing.optimize(optimizer, param, slopes, dtype=dtype))
