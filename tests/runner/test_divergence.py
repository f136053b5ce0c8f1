"""Training that goes non-finite: at which step it is seen, where it begins, what is kept; and steps left out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from declnet.errors import NonFiniteError
from runner.conftest import Trained
from runner.runs import continued, same, started

TEXT = """\
name: net
data: {source: {type: NPZ, path: data.npz}, inputs: x, targets: y, split: {val: 0, test: 0}}
model:
  - {type: Linear, out_features: 3}
  - {type: Linear, out_features: 1}
loss: MSELoss
optimizer: {type: SGD, lr: 0.01}
loop: {epochs: 3, batch_size: 4, shuffle: false, checkpoint_every: 1}
"""
"""Two steps an epoch."""

LINES = (4, "  - {type: Linear, out_features: 3}"), (5, "  - {type: Linear, out_features: 1}")
HINT = "a lower optimizer.lr usually helps"


def write(rows: int = 8, **changes: float) -> None:
    """Rows of 1 and targets of 4; the second half of the rows holds what is given."""
    x, y = np.ones((rows, 2), "f4"), np.full((rows, 1), 4, "f4")
    for name, array in (("x", x), ("y", y)):
        array[4:] = changes.get(name, array[0])
    np.savez("data.npz", x=x, y=y)


def expected(message: str, layer: int, kept: str = "") -> str:
    """The whole message, with its place."""
    line, source = LINES[layer]
    return f"c.yaml:{line}:5: error: model[{layer}]: {message}{kept}; {HINT}\n    {source}\n        ^"


def both(value: float) -> list[str]:
    """First weights of both layers."""
    return [f"model.{layer}.init={{weight: {{type: constant_, val: {value}}}}}" for layer in (0, 1)]


BEGINNINGS: dict[str, tuple[dict[str, float], list[str], str, int]] = {
    "a loss": (
        {"x": 3e38},
        ["model.0.init={weight: {type: constant_, val: 1}}"],
        "epoch 1, step 2: the loss is inf; it begins in the output of 0 (Linear)",
        0,
    ),
    "a loss further on": (
        {"x": 1e38},
        [*both(1.5), "optimizer.lr=0"],
        "epoch 1, step 2: the loss is inf; it begins in the output of 1 (Linear)",
        1,
    ),
    "a gradient": (
        {"x": 3e38},
        [
            "model.0.init={weight: {type: constant_, val: 0}}",
            "model.1.init={weight: {type: constant_, val: 1}}",
            "optimizer.lr=0",
        ],
        "epoch 1, step 2: the gradient is not finite; it begins in the gradient of 0.weight (Linear)",
        0,
    ),
    "parameters": (
        {},
        [*both(0.1), "optimizer.lr=3e38"],
        "epoch 1, step 1: the parameters are not finite; it begins in 1.weight (Linear)",
        1,
    ),
}


@pytest.mark.parametrize("case", BEGINNINGS)
def test_it_is_seen_at_its_step_and_where_it_begins(fit: Callable[..., Trained], case: str) -> None:
    changes, settings, message, layer = BEGINNINGS[case]
    write(**changes)
    with pytest.raises(NonFiniteError) as error:
        fit(TEXT, *settings)
    assert str(error.value) == expected(message, layer)
    assert list(Path("r/checkpoints").iterdir()) == []


@pytest.mark.parametrize("more", ["clip_value: 1", "clip_norm: 1", "ema: 0.9"])
def test_what_is_done_to_gradients_hides_nothing(fit: Callable[..., Trained], more: str) -> None:
    changes, settings, message, layer = BEGINNINGS["a gradient"]
    write(**changes)
    name, value = more.split(": ")
    with pytest.raises(NonFiniteError) as error:
        fit(TEXT, *settings, f"loop.{name}={value}")
    assert str(error.value) == expected(message, layer)


def test_within_an_accumulated_step(fit: Callable[..., Trained]) -> None:
    changes, settings, _, layer = BEGINNINGS["a loss"]
    write(**changes)
    with pytest.raises(NonFiniteError) as error:
        fit(TEXT, *settings, "loop.batch_size=2", "loop.accumulate=4")
    message = "epoch 1, step 1: the loss is nan; it begins in the output of 0 (Linear)"
    assert str(error.value) == expected(message, layer)


def test_parameters_that_an_optimizer_meets_within_its_step(fit: Callable[..., Trained]) -> None:
    """LBFGS runs the batch again, and then it is the loss that is not finite."""
    write()
    with pytest.raises(NonFiniteError) as error:
        fit(TEXT, *both(0.1), "optimizer={type: LBFGS, lr: 1e300}")
    message = "epoch 1, step 1: the loss is nan; it begins in 0.weight (Linear)"
    assert str(error.value) == expected(message, 0)


def test_a_scale_that_is_too_much(fit: Callable[..., Trained]) -> None:
    write(y=1e18)
    with pytest.raises(NonFiniteError) as error:
        fit(TEXT, "loss=[{type: MSELoss, scale: 1e10}]")
    message = "epoch 1, step 2: the loss is inf; it begins in the sum of the scaled terms"
    where, source = "<command line>:1:6: error: loss", "loss=[{type: MSELoss, scale: 1e10}]"
    assert str(error.value) == f"{where}: {message}; {HINT}\n    {source}\n         ^"


def test_large_gradients_are_no_false_alarm(fit: Callable[..., Trained]) -> None:
    """Whose squares overflow."""
    write(y=1e25)
    assert fit(TEXT, "optimizer.lr=0", "loss=L1Loss").records[-1]["train_loss"] > 1e24
    write(x=1e30)
    settings = ["model.0.init={weight: {type: constant_, val: 0}}", "optimizer={type: SGD, lr: 0}"]
    assert fit(TEXT, *settings, to="s").records[-1]["train_loss"] < 20


def test_the_last_good_epoch_is_kept(fit: Callable[..., Trained]) -> None:
    """The rate of the second epoch is too much; nothing that is saved holds what is not a number."""
    write()
    with pytest.raises(
        NonFiniteError, match=r"epoch 2, step \d: .*; r/checkpoints/last.npz holds epoch 1; a lower"
    ):
        fit(TEXT, "scheduler={type: MultiStepLR, milestones: [1], gamma: 1e38}")
    for file in Path("r/checkpoints").iterdir():
        with np.load(file) as saved:
            assert all(np.isfinite(saved[name]).all() for name in saved.files if saved[name].dtype.kind == "f")


@pytest.mark.usefixtures("resumable")
def test_nothing_is_saved_of_statistics_that_are_not_finite() -> None:
    """Their loss is a number: a variance that is infinite makes everything 0. A signal would have them saved."""
    Path("c.yaml").write_text(NORMALIZED, "utf-8")
    x = np.ones((12, 2), "f4")
    x[:4:2] = 1e30
    np.savez("data.npz", x=x, y=np.ones((12, 1), "f4"))
    with pytest.raises(NonFiniteError, match=r"epoch 1: 0.running_var holds what is not a finite number"):
        started(stop=(1, 2))
    assert list(Path("r/checkpoints").iterdir()) == []


NORMALIZED = TEXT.replace("model:\n", "model:\n  - BatchNorm1d\n")
SKIP = "loop.on_nonfinite=skip"


@pytest.mark.parametrize("optimizer", ["{type: SGD, momentum: 0.9}", "Adam", "{type: LBFGS, max_iter: 2}"])
@pytest.mark.parametrize("ema", ["null", "0.9"])
def test_a_skipped_step_leaves_no_trace(fit: Callable[..., Trained], optimizer: str, ema: str) -> None:
    settings = [SKIP, f"optimizer={optimizer}", f"loop.ema={ema}"]
    write(x=3e38)
    skipping = fit(NORMALIZED, *settings)
    assert [record["skipped"] for record in skipping.records] == [1, 1, 1]
    write(4)
    other = fit(NORMALIZED, *settings, to="other")
    assert [record["skipped"] for record in other.records] == [0, 0, 0]
    assert [record["train_loss"] for record in skipping.records] == [
        record["train_loss"] for record in other.records
    ]
    for part in ("model/", "optimizer/", "ema/"):
        ours, theirs = (run.arrays("last.npz", part) for run in (skipping, other))
        assert ours.keys() == theirs.keys()
        for name, array in ours.items():
            np.testing.assert_array_equal(array, theirs[name], name)


def test_an_epoch_with_no_step_left_ends_the_run(fit: Callable[..., Trained]) -> None:
    write(x=3e38)
    with pytest.raises(NonFiniteError) as error:
        fit(NORMALIZED, SKIP, "loop.batch_size=8")
    message = "epoch 1: no step of 1 could be taken: the loss is nan"
    assert str(error.value) == f"error: {message}; {HINT}"


def test_parameters_are_no_reason_to_skip(fit: Callable[..., Trained]) -> None:
    _, settings, message, layer = BEGINNINGS["parameters"]
    write()
    with pytest.raises(NonFiniteError) as error:
        fit(TEXT, *settings, SKIP)
    assert str(error.value) == expected(message, layer)


@pytest.mark.parametrize("stop", [(1, 2), (1, 3), (2, 2), (2, 3)])
@pytest.mark.usefixtures("resumable")
def test_gone_on_with_to_the_same_bits(stop: tuple[int, int]) -> None:
    Path("c.yaml").write_text(NORMALIZED, "utf-8")
    write(12, x=3e38)
    settings = (SKIP, "loop.batch_size=4")
    started(*settings, to="whole")
    started(*settings, stop=stop)
    continued()
    same("r", "whole")
