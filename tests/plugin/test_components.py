"""The components of this plug-in keep declnet's contract."""

from __future__ import annotations

import numpy as np
import pytest
from declnet_example.mish import Mish
from declnet_example.rprop import Rprop

from declnet import testing


@pytest.mark.parametrize("component", [Mish, Rprop])
def test_contract(component: type[Mish | Rprop]) -> None:
    testing.check(component)


def test_mish_far_from_zero() -> None:
    found = testing.run(Mish(), [np.array([-1e4, 0.0, 1e4])], grad_output=1.0, dtype="float32")
    assert found.output.tolist() == [0.0, 0.0, 1e4]
    assert found.gradients["input"][[0, 2]].tolist() == [0.0, 1.0]


def test_mish_gradient() -> None:
    testing.check_gradients(Mish(), [np.linspace(-6, 6, 25)])


def test_rprop_waits_where_the_sign_changes() -> None:
    path = testing.optimize(Rprop(lr=1.0), np.zeros(1), [np.array([g]) for g in (1.0, 1.0, -1.0, -1.0)])
    assert [at.item() for at in path.params] == [-1.0, -2.2, -2.2, -1.6]
    assert path.state["step_size"].item() == 0.6


def test_rprop_finds_a_minimum() -> None:
    path = testing.minimize(Rprop(), lambda at: (float(np.sum((at - 3) ** 2)), 2 * (at - 3)), np.zeros(4), 60)
    np.testing.assert_allclose(path.params[-1], 3, atol=1e-3)
