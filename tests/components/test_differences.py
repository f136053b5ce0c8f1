"""What declnet does otherwise than PyTorch on purpose, beyond the cases of the tables: docs/parity.md lists it."""

from __future__ import annotations

import numpy as np
import pytest

from declnet.core.component import Parameter
from declnet.core.laws import Constant
from declnet.core.spec import Array
from declnet.losses.bce import BCELoss
from declnet.optimizers.adagrad import Adagrad
from declnet.optimizers.lbfgs import LBFGS
from declnet.plan.store import Store
from declnet.runner.model import Optimization
from declnet.testing import minimize, run

START = np.array([1.0, -2.0, 0.5])


def bowl(at: Array) -> tuple[float, Array]:
    return float((at * at).sum()) / 2, at


def test_bce_of_no_probability_is_nan() -> None:
    for wrong in (-0.5, 1.5, np.nan):
        assert np.isnan(run(BCELoss(), [np.array([wrong, 0.5]), np.array([0.5, 0.5])]).output)


def test_lbfgs_with_a_rate_of_0_stays() -> None:
    found = minimize(LBFGS(lr=0.0, line_search_fn="strong_wolfe"), bowl, START, 2)
    np.testing.assert_array_equal(found.params, [START, START])


@pytest.mark.torch
def test_lbfgs_of_pytorch_divides_by_0() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install --group torch")
    param = torch.tensor(START, requires_grad=True)
    optimizer = torch.optim.LBFGS([param], lr=0.0, line_search_fn="strong_wolfe")

    def closure() -> float:
        param.grad = param.detach().clone()
        return bowl(param.detach().numpy())[0]

    optimizer.step(closure)
    with pytest.raises(ZeroDivisionError):
        optimizer.step(closure)


def test_adagrad_starts_each_group_from_its_own_value() -> None:
    parameters = {name: Parameter((2,), Constant(0)) for name in "ab"}
    store = Store(parameters, {}, [["a"], ["b"]], "float64")
    settings = [Adagrad(initial_accumulator_value=value) for value in (1.0, 5.0)]
    state = Optimization(settings, store).state_dict()
    assert [set(state[f"{group}/sum"].tolist()) for group in range(2)] == [{1.0}, {5.0}]


@pytest.mark.torch
def test_adagrad_of_pytorch_does_not() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install --group torch")
    params = [torch.zeros(2, requires_grad=True) for _ in range(2)]
    groups = [{"params": [params[0]]}, {"params": [params[1]], "initial_accumulator_value": 5.0}]
    optimizer = torch.optim.Adagrad(groups, initial_accumulator_value=1.0)
    assert [optimizer.state[param]["sum"].tolist() for param in params] == [[1.0, 1.0]] * 2
