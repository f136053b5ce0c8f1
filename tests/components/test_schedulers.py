"""What holds for every scheduler beyond its numbers: where a run stands, and the warm-up before it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from components.cases.case import PERIODS, Case, Subject
from components.cases.tables import examples
from components.harness import material
from declnet.core.optimizer import Optimizer
from declnet.core.registry import optimizers
from declnet.core.scheduler import Interval, Scheduled, Scheduler
from declnet.runner.schedule import Schedule
from declnet.schedulers.exponential import ExponentialLR
from declnet.schedulers.one_cycle import OneCycleLR
from declnet.schedulers.plateau import ReduceLROnPlateau
from declnet.schedulers.step import StepLR


def sgd(lr: float) -> Optimizer:
    return optimizers["SGD"].model_validate({"lr": lr})


def scheduled(subject: Subject, case: Case, *, interval: Interval = "epoch", warmup: int = 0) -> Scheduled:
    scheduler = subject(case.arguments)
    assert isinstance(scheduler, Scheduler)
    return Scheduled(scheduler.complete(PERIODS), interval, warmup, monitor="figure")


def watches(subject: Subject) -> bool:
    assert issubclass(subject.cls, Scheduler)
    return subject.cls.watches


def groups(subject: Subject, case: Case) -> list[Optimizer]:
    return [sgd(lr) for lr in material(subject, case).inputs[0].tolist()]


@pytest.mark.parametrize("warmup", [0, 3])
@pytest.mark.parametrize(("subject", "case"), examples(Scheduler))
def test_a_run_that_is_taken_up_again(subject: Subject, case: Case, warmup: int) -> None:
    """In one go, and each epoch by a schedule that was just made, from what a checkpoint has of the one before."""
    plan, settings = scheduled(subject, case, warmup=warmup), groups(subject, case)
    straight, state = Schedule(plan, settings), Schedule(plan, settings).state_dict()
    for epoch, figure in enumerate(material(subject, case).inputs[1].tolist(), 1):
        anew = Schedule(plan, settings)
        for name, array in anew.state_dict().items():
            array[...] = state[name]
        assert anew.at(epoch, 0) == straight.at(epoch, 0)
        for each in (straight, anew):
            each.watch({"epoch": epoch, "figure": figure})
        state = anew.state_dict()
        assert bool(state) == plan.scheduler.watches
    np.testing.assert_equal(state, straight.state_dict())


@pytest.mark.parametrize(("subject", "case"), examples(Scheduler, lambda subject, _: not watches(subject)))
def test_steps_and_epochs(subject: Subject, case: Case) -> None:
    """What a scheduler counts is all that changes; within an epoch, or a step, nothing does."""
    settings = groups(subject, case)
    by_epoch, by_step = (
        Schedule(scheduled(subject, case, interval=interval, warmup=4), settings) for interval in ("epoch", "step")
    )
    for period in range(PERIODS):
        expected = by_step.at(1 + period // 10, period)
        assert expected == by_epoch.at(period + 1, 7 * period)
        assert by_epoch.at(period + 1, 7 * period + 6) is by_epoch.at(period + 1, 7 * period)


def test_without_a_scheduler() -> None:
    settings = [sgd(0.1), sgd(0.2)]
    schedule = Schedule(None, settings)
    schedule.watch({"epoch": 1, "train_loss": 1.0})
    assert schedule.at(9, 99) == settings
    assert schedule.state_dict() == {}


@pytest.mark.parametrize("interval", ["epoch", "step"])
def test_a_warm_up(interval: Interval) -> None:
    """In a straight line from a share of each group's rate to all of it; then the scheduler begins."""
    plan = Scheduled(StepLR(step_size=2, gamma=0.1), interval, warmup=4, warmup_start=0.2)
    schedule = Schedule(plan, [sgd(1.0), sgd(0.5)])
    found = [[settings.lr for settings in schedule.at(period + 1, period)] for period in range(9)]
    shares = [0.2, 0.4, 0.6, 0.8, 1, 1, 0.1, 0.1, 0.01]
    np.testing.assert_allclose(found, [[share, share / 2] for share in shares], rtol=1e-15)


def test_a_warm_up_before_a_cycle() -> None:
    """It leads to the rate at which the cycle begins; the momentum is that of the cycle's begin."""
    plan = Scheduled(OneCycleLR(max_lr=1.0, total_steps=10, div_factor=5), "step", warmup=2, warmup_start=0.5)
    schedule = Schedule(plan, [sgd(9.0)])
    found = [schedule.at(1, step)[0].model_dump() for step in range(3)]
    np.testing.assert_allclose([row["lr"] for row in found], [0.1, 0.15, 0.2], rtol=1e-15)
    assert [row["momentum"] for row in found] == [0.95] * 3


def test_a_warm_up_before_a_plateau() -> None:
    """What is measured while lr goes up is not held against it."""
    plan = Scheduled(
        ReduceLROnPlateau(patience=1, factor=0.5), "epoch", warmup=3, warmup_start=0.25, monitor="loss"
    )
    schedule, found = Schedule(plan, [sgd(1.0)]), []
    for epoch in range(1, 9):
        found.append(schedule.at(epoch, 0)[0].lr)
        schedule.watch({"epoch": epoch, "loss": 1.0})
    assert found == [0.25, 0.5, 0.75, 1, 1, 1, 0.5, 0.5]


@pytest.mark.parametrize("three_phase", [False, True])
def test_a_rise_of_one_step(three_phase: bool) -> None:
    """PyTorch divides by zero; here the cycle begins at its height."""
    cycle = OneCycleLR(max_lr=1.0, total_steps=10, pct_start=0.1, three_phase=three_phase)
    schedule = Schedule(Scheduled(cycle, "step"), [sgd(1.0)])
    rates = [schedule.at(1, step)[0].lr for step in range(10)]
    assert rates[0] == max(rates) == 1
    assert rates == sorted(rates, reverse=True)
    assert math.isclose(rates[-1], 1 / 25 / 1e4)


def test_a_rate_beyond_all_numbers() -> None:
    """Repeated products of PyTorch's become infinite; so does this power, and training says so."""
    schedule = Schedule(Scheduled(ExponentialLR(gamma=2.0), "step"), [sgd(1.0)])
    assert (schedule.at(1, 1023)[0].lr, schedule.at(1, 1024)[0].lr) == (2.0**1023, math.inf)
