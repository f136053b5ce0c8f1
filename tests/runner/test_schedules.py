"""Runs with a scheduler: what it does to lr, what the loop fills in, what is saved, refused and warned of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from declnet.errors import ConfigError
from declnet.runner.experiment import load
from declnet.runner.figures import figures
from declnet.runner.schedule import Schedule

if TYPE_CHECKING:
    from conftest import Trained

TEXT = """\
name: net
data: {source: Digits, split: {train: 0.2, val: 0.1, test: 0.1}}
model: [{type: Linear, out_features: 10}]
loss: CrossEntropyLoss
optimizer: {type: SGD, lr: 0.5}
scheduler: {SCHEDULER}
loop: {epochs: 6, batch_size: 40, metrics: [accuracy]}
"""
STEPS = 9
"""359 training rows in batches of 40."""


def written(scheduler: str) -> str:
    return TEXT.replace("{SCHEDULER}", scheduler)


def rates(trained: Trained) -> list[float]:
    return [record["lr"] for record in trained.records]


def test_epochs(fit: Callable[..., Trained]) -> None:
    """An epoch's record has the rate of its steps."""
    trained = fit(written("{type: MultiStepLR, milestones: [2, 3], gamma: 0.5}"))
    assert rates(trained) == [0.5, 0.5, 0.25, 0.125, 0.125, 0.125]
    assert trained.arrays("last.npz", "scheduler/") == {}


def test_steps(fit: Callable[..., Trained]) -> None:
    """An epoch's record has the rate of its last step."""
    trained = fit(written("{type: ExponentialLR, gamma: 0.99, interval: step}"))
    assert rates(trained) == [0.5 * 0.99 ** (STEPS * epoch - 1) for epoch in range(1, 7)]


@pytest.mark.parametrize(
    ("scheduler", "filled_in"),
    [
        ("CosineAnnealingLR", {"T_max": 6}),
        ("{type: CosineAnnealingLR, warmup: 2}", {"T_max": 4}),
        ("{type: CosineAnnealingLR, interval: step}", {"T_max": 6 * STEPS}),
        ("{type: CosineAnnealingLR, T_max: 9}", {"T_max": 9}),
        ("{type: OneCycleLR, max_lr: 1}", {"total_steps": 6 * STEPS}),
        ("{type: OneCycleLR, max_lr: 1, warmup: 10}", {"total_steps": 6 * STEPS - 10}),
        ("{type: OneCycleLR, max_lr: 1, interval: epoch}", {"total_steps": 6}),
        ("{type: OneCycleLR, max_lr: 1, epochs: 7, steps_per_epoch: 8}", {"total_steps": 56}),
    ],
)
def test_what_the_loop_fills_in(fit: Callable[..., Trained], scheduler: str, filled_in: dict[str, int]) -> None:
    """The run's own config has it, and run again gives the same bits."""
    first = fit(written(scheduler))
    config = load("r/config.yaml", strict=True).config.scheduler
    assert config is not None
    assert filled_in == {name: getattr(config.scheduler, name) for name in filled_in}
    again = fit(Path("r/config.yaml").read_text(encoding="utf-8"), to="again")
    assert rates(again) == rates(first)
    np.testing.assert_equal(again.arrays("last.npz"), first.arrays("last.npz"))


def test_a_figure(fit: Callable[..., Trained]) -> None:
    """What is watched, and the state in a checkpoint, from which a later schedule goes on."""
    plateau = (
        "{type: ReduceLROnPlateau, monitor: val_accuracy, mode: max, patience: 0, threshold: 0.5, factor: 0.1}"
    )
    trained = fit(written(plateau))
    state = trained.arrays("last.npz", "scheduler/")
    assert rates(trained) == pytest.approx([0.5, 0.5, 0.05, 0.005, 0.0005, 0.00005], rel=1e-12)
    assert {name: array.shape for name, array in state.items()} == {
        "lr": (1,),
        "best": (),
        "num_bad_epochs": (),
        "cooldown_counter": (),
    }
    assert state["best"] == trained.records[0]["val_accuracy"]
    config = load("r/config.yaml").config
    later = Schedule(config.scheduler, [config.optimizer.optimizer])
    for name, array in later.state_dict().items():
        array[...] = state[name]
    assert later.at(7, 6 * STEPS)[0].lr == pytest.approx(0.000005, rel=1e-12)


@pytest.mark.parametrize(("val", "monitor"), [(0.1, "val_loss"), (0, "train_loss")])
def test_the_figure_where_none_is_named(fit: Callable[..., Trained], val: float, monitor: str) -> None:
    trained = fit(written("{type: ReduceLROnPlateau, patience: 0, threshold: 0.99}"), f"data.split.val={val}")
    config = load("r/config.yaml", strict=True).config.scheduler
    assert config is not None
    assert config.monitor == monitor
    assert trained.arrays("last.npz", "scheduler/")["best"] == trained.records[0][monitor]


def test_a_momentum_that_only_the_cycle_has(fit: Callable[..., Trained]) -> None:
    """The buffer is there from the first step, and foretold."""
    cycle, plain = "{type: OneCycleLR, max_lr: 1, cycle_momentum: %s}", "optimizer.momentum=0.9"
    with_buffer = fit(written(cycle % "true"))
    assert with_buffer.arrays("last.npz", "optimizer/").keys() == {"0/momentum_buffer"}
    foretold = figures(load("c.yaml"))
    Path("c.yaml").write_text(written("null"), encoding="utf-8")
    same, less = figures(load("c.yaml", [plain])), figures(load("c.yaml"))
    assert foretold.memory.optimizer == same.memory.optimizer > less.memory.optimizer
    assert foretold.learned == same.learned > less.learned
    assert fit(written(cycle % "false"), to="without").arrays("last.npz", "optimizer/") == {}


GROUPS = "optimizer.groups=[{match: '*.bias', lr: 0.1}]"
LISTED = "one for the parameters that no group of the optimizer matches, then one for each of its groups"
PLATEAU = "{type: ReduceLROnPlateau"
REFUSED: list[tuple[str, tuple[str, ...], list[str]]] = [
    ("{type: StepLR}", (), ["6:12: error: scheduler: StepLR needs 'step_size'"]),
    (
        "{type: StepLR, step_size: 0, gamma: 0, warmup: -1}",
        (),
        [
            "6:48: error: scheduler.gamma: must be greater than 0, got 0",
            "6:38: error: scheduler.step_size: must be greater than 0, got 0",
            "6:59: error: scheduler.warmup: must be at least 0, got -1",
        ],
    ),
    (
        "{type: MultiStepLR, milestones: [3, 2]}",
        (),
        ["6:44: error: scheduler.milestones: milestones must be in order, the lowest first; 2 follows 3"],
    ),
    (
        "{type: ExponentialLR, gamma: 0.9, last_epoch: 3, warmpu: 2}",
        (),
        [
            "6:46: error: scheduler.last_epoch: ExponentialLR takes no 'last_epoch' here: where a run stands "
            "follows from its checkpoint, never from the config",
            "6:61: error: scheduler.warmpu: unknown key 'warmpu'; did you mean 'warmup'?",
        ],
    ),
    (
        "{type: ExponentialLR, gamma: 0.9, interval: batch, warmup_start: 0}",
        (),
        [
            "6:56: error: scheduler.interval: expected 'step', 'epoch' or null, got 'batch'",
            "6:77: error: scheduler.warmup_start: must be greater than 0, got 0",
        ],
    ),
    (
        "LambdaLR",
        (),
        [
            "6:12: error: scheduler.type: unknown scheduler 'LambdaLR'; there is StepLR, MultiStepLR, "
            "ExponentialLR, LinearLR, PolynomialLR, CosineAnnealingLR, CosineAnnealingWarmRestarts, OneCycleLR or "
            "1 more: declnet list-components"
        ],
    ),
    ("AdamW", (), ["6:12: error: scheduler.type: 'AdamW' is an optimizer, not a scheduler"]),
    (
        "[LinearLR]",
        (),
        ["6:12: error: scheduler: expected a scheduler, as a name or {type: Name, ...}; got ['LinearLR']"],
    ),
    (
        f"{PLATEAU}, monitor: val_acuracy, interval: step}}",
        (),
        [
            "6:47: error: scheduler.monitor: an epoch has no figure 'val_acuracy'; did you mean 'val_accuracy'?",
            "6:70: error: scheduler.interval: ReduceLROnPlateau goes by a figure of each epoch, and cannot count "
            "steps; remove it",
        ],
    ),
    (
        f"{PLATEAU}, monitor: val_loss}}",
        ("data.split.val=0",),
        ["6:47: error: scheduler.monitor: an epoch has no figure 'val_loss'; there is train_loss"],
    ),
    (
        f"{PLATEAU}, min_lr: [0.1, 0.2, 0.3]}}",
        (GROUPS,),
        [f"6:46: error: scheduler.min_lr: takes one number, or a list of 2: {LISTED}; got a list of 3"],
    ),
    (
        "{type: LinearLR, monitor: val_loss}",
        (),
        ["6:38: error: scheduler.monitor: LinearLR goes by no figure; remove it"],
    ),
    (
        "{type: OneCycleLR, max_lr: [1, 2], max_momentum: [0.9, 0.9]}",
        (),
        [
            f"6:{column}: error: scheduler.{name}: takes one number, because the optimizer has no groups; got a "
            "list of 2"
            for column, name in ((39, "max_lr"), (61, "max_momentum"))
        ],
    ),
    (
        "{type: OneCycleLR, max_lr: 1, total_steps: 5, interval: epoch}",
        (),
        [
            "6:55: error: scheduler.total_steps: the cycle ends at 5, before the loop's 6; "
            "leave its length out, and it is the loop's"
        ],
    ),
    (
        "{type: OneCycleLR, max_lr: 1, epochs: 5}",
        (),
        [
            "6:50: error: scheduler.epochs: epochs needs steps_per_epoch beside it; leave out both, and the loop "
            "says how long it is"
        ],
    ),
    (
        "{type: OneCycleLR, max_lr: 1}",
        ("optimizer=Adagrad",),
        [
            "6:12: error: scheduler.cycle_momentum: Adagrad has no momentum to cycle: write cycle_momentum: false, "
            "or take an optimizer that has momentum or betas"
        ],
    ),
    (
        "{type: OneCycleLR, max_lr: 1, max_momentum: 1}",
        ("optimizer=Adam",),
        ["6:56: error: scheduler.max_momentum: is the first beta of Adam, which must be less than 1"],
    ),
]


@pytest.mark.parametrize(("scheduler", "settings", "messages"), REFUSED, ids=[text for text, *_ in REFUSED])
def test_what_is_refused(folder: Path, scheduler: str, settings: tuple[str, ...], messages: list[str]) -> None:
    Path("c.yaml").write_text(written(scheduler), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load("c.yaml", settings)
    assert sorted(item.headline for item in caught.value.diagnostics) == sorted(f"c.yaml:{m}" for m in messages)


@pytest.mark.parametrize(
    ("scheduler", "message"),
    [
        (
            "{type: OneCycleLR, max_lr: 1, total_steps: 53}",
            "c.yaml:6:55: error: scheduler.total_steps: the cycle ends at 53, before the loop's 54; "
            "leave its length out, and it is the loop's",
        ),
        (
            "{type: OneCycleLR, max_lr: 1, epochs: 5, steps_per_epoch: 9, warmup: 8}",
            "c.yaml:6:50: error: scheduler.epochs: the cycle ends at 45, before the loop's 46; "
            "leave its length out, and it is the loop's",
        ),
    ],
)
def test_a_cycle_too_short_in_steps(fit: Callable[..., Trained], scheduler: str, message: str) -> None:
    """How many steps there are is known with the rows; nothing is created."""
    with pytest.raises(ConfigError) as caught:
        fit(written(scheduler))
    assert caught.value.diagnostics[0].headline == message
    assert not Path("r").exists()


IDLE = "changes nothing within the"


@pytest.mark.parametrize(
    ("scheduler", "warning"),
    [
        ("{type: StepLR, step_size: 6}", f"6:12: warning: scheduler: StepLR {IDLE} 6 epochs of the loop"),
        ("{type: StepLR, step_size: 5}", None),
        (
            "{type: StepLR, step_size: 5, warmup: 1}",
            f"6:12: warning: scheduler: StepLR {IDLE} 5 epochs after the warm-up",
        ),
        ("{type: StepLR, step_size: 9, interval: step}", None),
        ("{type: ExponentialLR, gamma: 1}", f"6:12: warning: scheduler: ExponentialLR {IDLE} 6 epochs of the loop"),
        (
            "{type: LinearLR, warmup: 6}",
            "6:37: warning: scheduler.warmup: the warm-up takes all 6 epochs of the loop: LinearLR never begins",
        ),
        ("{type: LinearLR, warmup: 5}", None),
        (
            f"{PLATEAU}, patience: 4}}",
            f"6:12: warning: scheduler: ReduceLROnPlateau {IDLE} 6 epochs of the loop, even if val_loss never gets "
            "better",
        ),
        (f"{PLATEAU}, patience: 3}}", None),
        (f"{PLATEAU}, patience: 3, monitor: train_loss}}", None),
        (
            f"{PLATEAU}, patience: 3, monitor: val_accuracy}}",
            "6:60: warning: scheduler.monitor: ReduceLROnPlateau takes a lower val_accuracy for a better one: left "
            "out, 'mode' is min; write mode: max, or mode: min if that is meant",
        ),
        (f"{PLATEAU}, patience: 3, monitor: val_accuracy, mode: min}}", None),
        ("null", None),
    ],
)
def test_warnings(folder: Path, scheduler: str, warning: str | None) -> None:
    Path("c.yaml").write_text(written(scheduler), encoding="utf-8")
    found = [item.headline for item in load("c.yaml").warnings]
    assert found == ([] if warning is None else [f"c.yaml:{warning}"])


def test_a_long_run_is_not_gone_through(folder: Path) -> None:
    """To see that nothing changes in a billion epochs would take a while."""
    Path("c.yaml").write_text(written("{type: ExponentialLR, gamma: 1}"), encoding="utf-8")
    assert load("c.yaml", ["loop.epochs=1000000000"]).warnings == ()
