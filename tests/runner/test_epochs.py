"""The epoch loop: which epochs are saved, which is the best, and what happens without some of the splits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from declnet.errors import ConfigError, DataError, MachineError, NonFiniteError
from declnet.runner import keeper
from declnet.runner.directory import RunDirectory
from declnet.runner.events import EpochEnded, Event, Finished, Started, Stepped
from declnet.runner.keeper import Keeper
from declnet.runner.monitor import Monitor

if TYPE_CHECKING:
    from conftest import Trained

TEXT = """\
name: net
data: {source: Digits, split: {train: 0.2, val: 0.1, test: 0.1}}
model: [{type: Linear, out_features: 10}]
loss: CrossEntropyLoss
optimizer: {type: SGD, lr: 0.5}
loop: {epochs: 6, batch_size: 40}
"""
RESTLESS = "optimizer.lr=10"
"""Jumps about, so the validation loss rises and falls."""


def test_events_come_in_order(fit: Callable[..., Trained], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("declnet.runner.training.REPORT_EVERY", -1)
    first, *events, last = fit(TEXT, "loop.epochs=2").events
    assert first == Started(Path("r"), "net", 650, {"train": 359, "val": 180, "test": 180}, 2, 9, 18)
    assert isinstance(last, Finished)
    steps = [(event.epoch, event.step) for event in events if isinstance(event, Stepped)]
    assert steps == [(epoch, step) for epoch in (1, 2) for step in range(1, 10)]
    assert [number for number, event in enumerate(events) if isinstance(event, EpochEnded)] == [9, 19]


@pytest.mark.parametrize("size", [1, 179, 358])
def test_statistics_of_one_row(fit: Callable[..., Trained], size: int) -> None:
    """Known before a row is read where every batch is too small, else before the first step."""
    text = TEXT.replace("model: [", "model: [{type: Linear, out_features: 3}, BatchNorm1d, ")
    refusal = (
        "c.yaml:3:42: error: model[1]: {}BatchNorm1d needs more than 1 value per channel, for the statistics of "
        "the batch, but its input is (1, 3) (from model[0]); {}"
    )
    if size == 1:
        error, expected = ConfigError, refusal.format("", "raise loop.batch_size")
    else:
        last = "the last batch of the 359 train rows has 1: "
        way_out = "leave it out with loop.drop_last: true, or change loop.batch_size"
        error, expected = DataError, refusal.format(last, way_out)
    with pytest.raises(error) as info:
        fit(text, f"loop.batch_size={size}")
    assert str(info.value).split("\n")[0].endswith(expected)
    if size > 1:
        fit(text, f"loop.batch_size={size}", "loop.drop_last=true", "loop.epochs=1")


def test_steps_are_reported_a_few_times_a_second(fit: Callable[..., Trained]) -> None:
    events = fit(TEXT, "loop.epochs=2").events
    assert sum(isinstance(event, Stepped) for event in events) < 9


def test_the_best_epoch_has_the_lowest_validation_loss(fit: Callable[..., Trained]) -> None:
    trained = fit(TEXT, RESTLESS, "loop.epochs=7", "loop.checkpoint_every=3")
    losses = [record["val_loss"] for record in trained.records]
    best = int(np.argmin(losses))
    assert 0 < best < 6, "choose other settings: the best epoch is to be in between"
    assert trained.summary["best_epoch"] == trained.meta("best.npz")["epoch"] == best + 1
    marked = [event.best for event in trained.events if isinstance(event, EpochEnded)]
    assert marked == [loss < min(losses[:n], default=float("inf")) for n, loss in enumerate(losses)]
    assert trained.summary["val"] == {"loss": losses[best]}
    assert trained.meta("last.npz")["best_epoch"] == best + 1
    again = fit(TEXT, RESTLESS, f"loop.epochs={best + 1}", to="short")
    for name, array in trained.arrays("best.npz").items():
        assert np.array_equal(array, again.arrays("last.npz")[name])
        assert not np.array_equal(array, trained.arrays("last.npz")[name])


@pytest.mark.parametrize("share", ["{train: 0.2, val: 0, test: 0.1}", "{train: 0.2, val: 0, test: 0}"])
def test_without_validation_the_training_loss_decides(fit: Callable[..., Trained], share: str) -> None:
    trained = fit(TEXT, RESTLESS, f"data.split={share}")
    losses = [record["train_loss"] for record in trained.records]
    assert trained.summary["best_epoch"] == int(np.argmin(losses)) + 1
    assert all(list(record) == ["epoch", "train_loss", "lr", "seconds"] for record in trained.records)
    assert "val" not in trained.summary
    assert ("test" in trained.summary) == ("test: 0.1" in share)


def test_all_rows_can_be_trained_on(fit: Callable[..., Trained]) -> None:
    trained = fit(TEXT, "data.split={train: 1, val: 0, test: 0}", "loop.epochs=1", "loop.batch_size=1000")
    assert trained.summary["rows"] == {"train": 1797}
    assert trained.summary["steps"] == 2


@pytest.mark.parametrize(("every", "seen"), [(2, [0, 0, 2, 2, 4]), (1, [0, 1, 2, 3, 4]), (3, [0, 0, 0, 3, 3])])
def test_checkpoints_every_few_epochs(fit: Callable[..., Trained], every: int, seen: list[int]) -> None:
    found = []

    def watch(event: Event) -> None:
        if isinstance(event, EpochEnded):
            path = Path("r/checkpoints/last.npz")
            found.append(trained_to(path) if path.exists() else 0)

    def trained_to(path: Path) -> int:
        with np.load(path) as archive:
            return int(archive["meta"].item().split('"epoch": ')[1].split(",")[0])

    trained = fit(TEXT, f"loop.checkpoint_every={every}", "loop.epochs=5", watch=watch)
    assert found == seen
    assert trained.meta("last.npz")["epoch"] == 5


def test_checkpoints_as_often_as_costs_little(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    now = [100.0]
    monkeypatch.setattr(keeper.time, "perf_counter", lambda: now[0])

    def slow_disk(*_: object) -> None:
        now[0] += 1

    monkeypatch.setattr(keeper.checkpoint, "save", slow_disk)
    lowest = Monitor("val_loss", "min")
    kept = Keeper(RunDirectory(tmp_path), None, lowest)
    assert kept.due(1), "nobody knows yet what a checkpoint costs"
    kept.save(1, dict, {})
    now[0] += 19
    assert not kept.due(2)
    now[0] += 1
    assert kept.due(3), "1 second in 20 is the share agreed"
    assert not Keeper(RunDirectory(tmp_path), 3, lowest).due(2)


def test_a_loss_that_is_no_number_saves_nothing(fit: Callable[..., Trained]) -> None:
    with pytest.raises(NonFiniteError, match=r"epoch 1: val_loss is (nan|inf); a lower optimizer.lr usually helps"):
        fit(TEXT, "optimizer.lr=1e38", "loop.batch_size=1000")
    assert list(Path("r/checkpoints").iterdir()) == []
    assert not Path("r/metrics.jsonl").exists()


def test_parameters_that_are_no_numbers_are_not_saved(fit: Callable[..., Trained]) -> None:
    settings = ["data.split={train: 0.2, val: 0, test: 0}", "loop.batch_size=1000", "loop.epochs=1"]
    with pytest.raises(NonFiniteError):
        fit(TEXT, *settings, "optimizer={type: SGD, lr: 3e38, weight_decay: 1e3}")
    assert list(Path("r/checkpoints").iterdir()) == []


def test_dropout_draws_the_same_noise_for_the_same_seed(fit: Callable[..., Trained]) -> None:
    noisy = "model=[{type: Dropout, p: 0.5}, {type: Linear, out_features: 10}]"
    runs = [fit(TEXT, noisy, "loop.epochs=2", to=name).arrays("last.npz") for name in ("one", "two")]
    other = fit(TEXT, noisy, "loop.epochs=2", "model.0.p=0", to="three").arrays("last.npz")
    for name, array in runs[0].items():
        assert np.array_equal(array, runs[1][name])
        assert not np.array_equal(array, other[name])


def test_a_network_beyond_all_memory(fit: Callable[..., Trained]) -> None:
    with pytest.raises((MemoryError, MachineError)):
        fit(TEXT, "model=[{type: Linear, out_features: 9999999999999999999}, {type: Linear, out_features: 10}]")
