"""A checkpoint of an optimizer is its state: whoever takes that up goes on with the same bits."""

from __future__ import annotations

import numpy as np
import pytest

from components.cases.case import Case, Subject, landscape
from components.cases.tables import examples
from components.harness import DTYPES, material
from declnet.core.optimizer import Group, Optimizer, Update
from declnet.core.spec import Array, DType
from declnet.testing import optimizer_state


def walk(optimizer: Optimizer, param: Array, gradients: Array, *, resumed: bool) -> list[Array]:
    """The parameters after each step; resumed, everything is bound anew to copies before each."""
    dtype: DType = "float32" if param.dtype == np.float32 else "float64"
    path = [param.reshape(-1).copy()]
    group = Group(path[0], np.empty_like(path[0]), optimizer_state(optimizer, param.size, dtype))

    def bound() -> tuple[Group, Update[Optimizer]]:
        state = {name: array.copy() for name, array in group.state.items()}
        copy = Group(group.param.copy(), np.full_like(group.grad, np.nan), state)

        def closure() -> float:
            loss, copy.grad[...] = landscape(row, copy.param)
            return loss

        return copy, optimizer.bind(copy, closure)

    row = path[0]
    group, update = bound()
    with np.errstate(all="ignore"):
        for step, row in enumerate(gradients.reshape(len(gradients), -1), 1):
            if resumed:
                group, update = bound()
            group.grad[...] = row
            update(optimizer, step)
            path.append(group.param.copy())
    return path


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("subject", "case"), examples(Optimizer))
def test_resume(subject: Subject, case: Case, dtype: DType) -> None:
    param, gradients = material(subject, case).cast(dtype).inputs
    straight, resumed = (walk(subject.optimizer(case), param, gradients, resumed=r) for r in (False, True))
    np.testing.assert_array_equal(straight, resumed)
