"""What holds for every optimizer beyond its numbers."""

from __future__ import annotations

import numpy as np
import pytest

from components.cases.case import Case, Subject
from components.cases.tables import examples, of
from components.harness import DTYPES, material
from declnet import testing
from declnet.core.numerics import LONG
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
    copies = 2 * LONG // param.size + 1
    few = testing.optimize(optimizer, param, list(gradients[:3]), dtype=dtype)
    many = testing.optimize(
        optimizer, np.tile(param, copies), [np.tile(gradient, copies) for gradient in gradients[:3]], dtype=dtype
    )
    for short, long in zip(few.params, many.params, strict=True):
        np.testing.assert_array_equal(long, np.tile(short, copies))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("subject", of(Optimizer))
def test_minimize(subject: Subject, dtype: DType) -> None:
    """The function is evaluated where the parameters are, or wherever the optimizer likes."""
    for case in subject.cases:
        optimizer, param = subject.optimizer(case), material(subject, case).inputs[0]

        def bowl(at: Array) -> tuple[float, Array]:
            return float(np.sum(at * at)), 2 * at

        path = testing.minimize(optimizer, bowl, param, 3, dtype=dtype)
        if optimizer.calls_closure:
            with pytest.raises(ValueError, match=f"{subject} asks for gradients where it likes: take minimize"):
                testing.optimize(optimizer, param, [param], dtype=dtype)
        else:
            slopes = [bowl(at.astype(dtype))[1] for at in (param, *path.params[:-1])]
            found = testing.optimize(optimizer, param, slopes, dtype=dtype)
            np.testing.assert_array_equal(path.params, found.params)
            np.testing.assert_equal(path.state, found.state)
