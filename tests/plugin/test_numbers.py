"""The numbers of the plug-in's components are PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest
from declnet_example.mish import Mish
from declnet_example.rprop import Rprop

from declnet import testing
from declnet.core.spec import DType

pytestmark = pytest.mark.torch

DTYPES: tuple[DType, ...] = ("float64", "float32")


@pytest.mark.parametrize("dtype", DTYPES)
def test_mish(dtype: DType) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install --group torch")
    rng = np.random.default_rng(0)
    x, upstream = rng.normal(0, 10, (40, 25)).astype(dtype), rng.normal(size=(40, 25)).astype(dtype)
    leaf = torch.from_numpy(x.copy()).requires_grad_()
    output = torch.nn.Mish()(leaf)
    output.backward(torch.from_numpy(upstream))
    found = testing.run(Mish(), [x], grad_output=upstream, dtype=dtype)
    rtol, atol = (1e-12, 1e-12) if dtype == "float64" else (1.3e-6, 1e-5)
    np.testing.assert_allclose(found.output, output.detach().numpy(), rtol, atol)
    np.testing.assert_allclose(found.gradients["input"], leaf.grad.numpy(), rtol, atol)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"lr": 0.5, "maximize": True},
        {"lr": 0.0},
        {"lr": 2.0, "etas": (0.3, 1.7), "step_sizes": (0.5, 4.0)},
    ],
    ids=str,
)
def test_rprop(settings: dict[str, object], dtype: DType) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install --group torch")
    rng = np.random.default_rng(1)
    start, gradients = rng.normal(size=50).astype(dtype), rng.normal(size=(30, 50)).round(1).astype(dtype)
    found = testing.optimize(Rprop.model_validate(settings), start, list(gradients), dtype=dtype)
    param = torch.from_numpy(start.copy())
    optimizer = torch.optim.Rprop([param], **settings)
    for gradient, at in zip(gradients, found.params, strict=True):
        param.grad = torch.from_numpy(gradient.copy())
        optimizer.step()
        np.testing.assert_array_equal(at, param.numpy())
    for name, array in found.state.items():
        np.testing.assert_array_equal(array, optimizer.state[param][name].numpy())
