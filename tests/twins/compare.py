"""Compare what a config computes with what a PyTorch module does, from the same weights on the same rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from declnet.core.spec import Array
from declnet.runner.experiment import load
from declnet.runner.model import Model
from declnet.runner.rows import Rows

Batch = dict[str, Tensor]

ROWS = 7


Loss = Callable[[Batch], tuple[Tensor, Tensor | None]]
"""A batch's loss, and the model's output (None where it has several)."""


def compare(
    path: Path, twin: nn.Module, loss_of: Loss, overrides: Sequence[str] = (), tolerance: float = 1e-9
) -> None:
    """Load the twin with the config's first values, under the same names, and compare in both modes: losses,
    outputs, the gradient of every parameter, and buffers after the step.
    """
    experiment = load(path, ["dtype=float64", f"loop.batch_size={ROWS}", *overrides])
    model = Model(experiment, [(True, ROWS), (False, ROWS)], np.random.default_rng(0))
    model.store.initialize(np.random.default_rng(1))
    hand_over(model, twin)
    rows = Rows(experiment)
    for training in (True, False):
        twin.train(training)
        plan, count = next(rows.batches(np.arange(ROWS), model.plans, training=training))
        assert count == ROWS
        batch = {name: torch.from_numpy(array.copy()) for name, array in plan.inputs.items()}
        found = plan.run()
        loss, output = loss_of(batch)
        close("the loss", np.array(found), loss, tolerance)
        if not training and output is not None:
            close("the output", plan.output, output, tolerance)
        if training:
            loss.backward()
            for name, parameter in twin.named_parameters():
                grad = model.store.grads[name]
                assert (grad is None) == (not parameter.requires_grad), name
                if grad is not None:
                    wanted = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                    close(f"the gradient of {name}", grad, wanted, tolerance)
            for name, buffer in twin.named_buffers():
                close(name, model.store.buffers[name], buffer, tolerance)


def hand_over(model: Model, twin: nn.Module) -> None:
    """Give the twin the model's values, under the same names, in float64."""
    state = {name: torch.from_numpy(array.copy()) for name, array in model.store.state_dict().items()}
    twin.double().load_state_dict(state)


def close(what: str, found: Array, wanted: Tensor, tolerance: float) -> None:
    """The same shape and, within the tolerance, the same numbers."""
    expected = wanted.detach().numpy()
    assert found.shape == expected.shape, what
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance, err_msg=what)
