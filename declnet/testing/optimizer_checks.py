"""What holds for every optimizer, whatever its formula is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from declnet.core.optimizer import Optimizer
from declnet.core.spec import Array
from declnet.testing.class_checks import require
from declnet.testing.module_checks import DTYPES
from declnet.testing.optimize import minimize

START = np.linspace(-1, 1, 8)
STEPS = 20


def _bowl(at: Array) -> tuple[float, Array]:
    return float(np.sum(at * at)) / 2, at


def _lowers_a_bowl(optimizer: Optimizer) -> None:
    for dtype in DTYPES:
        first, second = (minimize(optimizer, _bowl, START, STEPS, dtype=dtype).params for _ in range(2))
        require(np.array_equal(first, second, equal_nan=True), f"a second run gives other numbers ({dtype})")
        require(bool(np.isfinite(first[-1]).all()), f"the parameters are not finite ({dtype})")
        up = f"{STEPS} steps down a bowl lead up ({dtype})"
        require(_bowl(first[-1])[0] < _bowl(START)[0], up)


def _resumes(optimizer: Optimizer) -> None:
    for dtype in DTYPES:
        straight = minimize(optimizer, _bowl, START, STEPS, dtype=dtype)
        half = minimize(optimizer, _bowl, START, STEPS // 2, dtype=dtype)
        rest = minimize(
            optimizer, _bowl, half.params[-1], STEPS // 2, state=half.state, first=STEPS // 2 + 1, dtype=dtype
        )
        require(
            np.array_equal(straight.params[-1], rest.params[-1]),
            f"taken up half-way it ends elsewhere ({dtype}): whatever lasts from step to step belongs in `state`",
        )


OPTIMIZER_CHECKS: tuple[Callable[[Optimizer], None], ...] = (_lowers_a_bowl, _resumes)
