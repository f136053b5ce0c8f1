"""What the loop can do beside epochs: steps, accumulation, what is watched, and when it ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from declnet.errors import ConfigError, DataError
from declnet.runner.events import Started, Stepped
from runner.runs import Stop, continued, lines, same, started, summary

if TYPE_CHECKING:
    from conftest import Trained

TEXT = """\
name: net
data: {source: Digits, split: {train: 0.2, val: 0.1, test: 0.1}}
model: [{type: Linear, out_features: 8}, Tanh, {type: Linear, out_features: 10}]
loss: CrossEntropyLoss
optimizer: {type: SGD, lr: 0.1, momentum: 0.9}
loop: {epochs: 3, batch_size: 32, metrics: [accuracy]}
"""
"""359 rows: eleven batches of 32, and one of 7."""
RESTLESS = ("optimizer={type: SGD, lr: 6}", "loop.epochs=12")
"""Jumps about, so that figures rise and fall."""
BETTER = ("optimizer={type: SGD, lr: 2}", "loop.epochs=12")
"""Jumps about and gets better."""


def equal(one: Trained, other: Trained, tolerance: float) -> None:
    """The same parameters, within a tolerance."""
    for name, array in one.arrays("last.npz").items():
        np.testing.assert_allclose(array, other.arrays("last.npz")[name], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("settings", "steps", "epochs", "end"),
    [
        ({"max_steps": 30}, 30, 3, "max_steps"),
        ({"max_steps": 30, "epochs": 2}, 24, 2, "epochs"),
        ({"max_steps": 24, "epochs": 2}, 24, 2, "max_steps"),
        ({"max_steps": 5, "epochs": 2}, 5, 1, "max_steps"),
        ({"max_steps": 7, "accumulate": 5}, 7, 3, "max_steps"),
        ({}, 120, 10, "epochs"),
        ({"epochs": 1, "accumulate": 50}, 1, 1, "epochs"),
    ],
)
def test_what_ends_first(
    fit: Callable[..., Trained], settings: dict[str, int], steps: int, epochs: int, end: str
) -> None:
    loop = ", ".join(f"{key}: {value}" for key, value in settings.items())
    trained = fit(TEXT, f"loop={{{loop}}}")
    first = trained.events[0]
    assert isinstance(first, Started)
    assert (first.total, first.epochs) == (steps, epochs)
    found = trained.summary
    assert (found["steps"], found["epochs"], found["ended_by"]) == (steps, epochs, end)
    assert [record["epoch"] for record in trained.records] == list(range(1, epochs + 1))
    assert all("val_loss" in record for record in trained.records)
    assert trained.meta("last.npz")["step"] == steps


def test_part_of_an_epoch(fit: Callable[..., Trained]) -> None:
    """Its training loss is that of the rows there were: here of one batch, before any step."""
    short = fit(TEXT, "loop.max_steps=1", "loop.shuffle=false")
    still = fit(TEXT, "loop.epochs=1", "loop.shuffle=false", "optimizer.lr=0", "loop.max_steps=1", to="still")
    assert short.records[0]["train_loss"] == still.records[0]["train_loss"]
    assert short.records[0]["val_loss"] != still.records[0]["val_loss"]


def test_full_batches(fit: Callable[..., Trained]) -> None:
    full = fit(TEXT, "loop.batch_size=full")
    assert full.summary["steps"] == 3
    number = fit(TEXT, "loop.batch_size=359", to="number")
    for name, array in full.arrays("last.npz").items():
        assert np.array_equal(array, number.arrays("last.npz")[name])
    fit(TEXT, "loop.batch_size=full", "loop.drop_last=true", "loop.epochs=1", to="whole")
    with pytest.raises(DataError, match="the 359 training rows do not fill a batch of 360, and"):
        fit(TEXT, "loop.batch_size=360", "loop.drop_last=true", to="none")


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("times", [2, 5, 12])
def test_small_batches_are_a_large_one(fit: Callable[..., Trained], times: int, drop_last: bool) -> None:
    """The rows of a group are those of the large batch, the last ones too: one of 7 rows weighs 7."""
    settings = ["dtype=float64", "loop.epochs=2"]
    small = fit(TEXT, *settings, f"loop.accumulate={times}", f"loop.drop_last={str(drop_last).lower()}")
    steps = -(-(11 if drop_last else 12) // times)
    assert small.summary["steps"] == 2 * steps
    if not drop_last:
        large = fit(TEXT, *settings, f"loop.batch_size={32 * times}", to="large")
        equal(small, large, 1e-12)
        for ours, theirs in zip(small.records, large.records, strict=True):
            assert ours["train_loss"] == pytest.approx(theirs["train_loss"], rel=1e-12)


def test_lbfgs_over_more_rows_than_fit(fit: Callable[..., Trained]) -> None:
    """It evaluates a group as often as it likes."""
    settings = ["dtype=float64", "optimizer={type: LBFGS, max_iter: 6, line_search_fn: strong_wolfe}"]
    cut = fit(TEXT, *settings, "loop.accumulate=12")
    equal(cut, fit(TEXT, *settings, "loop.batch_size=full", to="full"), 1e-7)


@pytest.mark.parametrize("monitor", ["val_loss", "accuracy", "val_accuracy", "train_loss"])
def test_the_best_epoch_by_what_is_watched(fit: Callable[..., Trained], monitor: str) -> None:
    trained = fit(TEXT, *BETTER, f"loop.monitor={monitor}")
    name = "val_accuracy" if monitor == "accuracy" else monitor
    values = [record[name] * (-1 if "accuracy" in name else 1) for record in trained.records]
    best = int(np.argmin(values)) + 1
    assert best > 1, "choose other settings: the first epoch is to be no good"
    assert values != sorted(values, reverse=True), "choose other settings: each is better than the one before"
    assert trained.summary["best_epoch"] == trained.meta("best.npz")["epoch"] == best
    assert trained.meta("last.npz")["best"] == trained.records[best - 1][name]
    again = fit(TEXT, *BETTER, f"loop.epochs={best}", to="short")
    for key, array in trained.arrays("best.npz").items():
        assert np.array_equal(array, again.arrays("last.npz")[key])


def test_evaluation_every_few_epochs(fit: Callable[..., Trained]) -> None:
    always = fit(TEXT, *RESTLESS, "loop.epochs=11")
    trained = fit(TEXT, *RESTLESS, "loop.epochs=11", "loop.evaluate_every=3", to="third")
    assert [r["epoch"] for r in trained.records if "val_loss" in r] == [3, 6, 9, 11]
    for ours, theirs in zip(trained.records, always.records, strict=True):
        assert ours["train_loss"] == theirs["train_loss"]
        assert ours.get("val_loss", theirs["val_loss"]) == theirs["val_loss"]
    evaluated = {r["epoch"]: r["val_loss"] for r in trained.records if "val_loss" in r}
    assert trained.summary["best_epoch"] == min(evaluated, key=lambda epoch: evaluated[epoch])


def stops_after(values: list[float], patience: int, by: float = 0.0) -> int:
    """The rule in plain words: the evaluation at which nothing has improved for so long; lower is better."""
    best, waited = values[0], 0
    for number, value in enumerate(values[1:], 2):
        best, waited = (value, 0) if value < best - by else (best, waited + 1)
        if waited == patience:
            return number
    return len(values)


@pytest.mark.parametrize(
    ("settings", "name", "sign"),
    [
        ({"patience": 2}, "val_loss", 1),
        ({"patience": 1, "monitor": "accuracy"}, "val_accuracy", -1),
        ({"patience": 2, "monitor": "accuracy", "min_delta": 0.05}, "val_accuracy", -1),
        ({"patience": 3, "monitor": "train_loss"}, "train_loss", 1),
        ({"patience": 2, "monitor": "accuracy", "mode": "min"}, "val_accuracy", 1),
        ({"patience": 100}, "val_loss", 1),
    ],
)
def test_early_stopping(fit: Callable[..., Trained], settings: dict[str, Any], name: str, sign: int) -> None:
    whole = fit(TEXT, *RESTLESS)
    values = [sign * record[name] for record in whole.records]
    expected = stops_after(values, settings["patience"], settings.get("min_delta", 0.0))
    text = ", ".join(f"{key}: {value}" for key, value in settings.items())
    trained = fit(TEXT, *RESTLESS, f"loop.early_stopping={{{text}}}", to="early")
    assert (expected < 12) == (settings["patience"] < 100), "choose other settings"
    assert len(trained.records) == trained.summary["epochs"] == expected
    assert trained.summary["ended_by"] == ("early_stopping" if expected < 12 else "epochs")
    assert trained.summary["best_epoch"] == 1 + int(
        np.argmin([record["val_loss"] for record in whole.records[:expected]])
    )


def test_early_stopping_counts_evaluations(fit: Callable[..., Trained]) -> None:
    whole = fit(TEXT, *RESTLESS, "loop.evaluate_every=2")
    values = [record["val_loss"] for record in whole.records if "val_loss" in record]
    trained = fit(TEXT, *RESTLESS, "loop.evaluate_every=2", "loop.early_stopping.patience=1", to="early")
    assert len(trained.records) == 2 * stops_after(values, 1) < 12


def test_without_validation_rows_the_training_loss_is_watched(fit: Callable[..., Trained]) -> None:
    split = "data.split={train: 0.2, val: 0, test: 0.1}"
    trained = fit(TEXT, *RESTLESS, split, "loop.early_stopping.patience=1", "loop.evaluate_every=5")
    values = [record["train_loss"] for record in trained.records]
    assert len(values) == stops_after(values, 1) < 12


ALL = (
    "loop={epochs: 5, max_steps: 11, batch_size: 32, accumulate: 5, clip_norm: 0.7, ema: 0.8, evaluate_every: 2, "
    "monitor: accuracy, early_stopping: {patience: 9, min_delta: 0.01}, metrics: [accuracy]}"
)
"""Three steps to an epoch, the last epoch cut after two."""
NOISY = (
    "model=[{type: Linear, out_features: 8}, BatchNorm1d, {type: Dropout, p: 0.2}, "
    "{type: Linear, out_features: 10}]"
)


@pytest.mark.parametrize("optimizer", ["AdamW", "{type: SGD, momentum: 0.9}", "{type: LBFGS, max_iter: 3}"])
def test_the_same_bits_with_everything_on(folder: Path, monkeypatch: pytest.MonkeyPatch, optimizer: str) -> None:
    Path("c.yaml").write_text(TEXT, encoding="utf-8")
    monkeypatch.setattr("declnet.runner.training.REPORT_EVERY", -1)
    chosen = (ALL, NOISY, f"optimizer={optimizer}")
    started(*chosen, to="straight")
    assert (summary("straight")["ended_by"], summary("straight")["steps"]) == ("max_steps", 11)
    assert ["val_loss" in line for line in lines("straight")] == [False, True, False, True]
    stops: list[Stop] = [(1, 2), (2, 3), (3, 2)]
    for epoch, step in stops:
        to = f"at-{epoch}-{step}"
        started(*chosen, to=to, stop=(epoch, step))
        continued(to=to)
        same("straight", to)
    started(*chosen, stop=stops[0])
    for stop in stops[1:]:
        continued(stop=stop)
    continued()
    same("straight", "r")


def test_a_run_that_ended_early_stays_ended(folder: Path) -> None:
    Path("c.yaml").write_text(TEXT, encoding="utf-8")
    started(*RESTLESS, "loop.early_stopping.patience=1")
    (event,) = continued("loop.epochs=50")
    assert [event] == continued()
    assert summary("r")["ended_by"] == "early_stopping"


def test_stopped_at_the_last_of_all_steps(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The epoch is still to be evaluated."""
    Path("c.yaml").write_text(TEXT, encoding="utf-8")
    monkeypatch.setattr("declnet.runner.training.REPORT_EVERY", -1)
    started("loop.max_steps=16", to="straight")
    started("loop.max_steps=16", stop=(2, 4))
    continued()
    same("straight", "r")


def test_a_checkpoint_without_the_average(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("c.yaml").write_text(TEXT, encoding="utf-8")
    monkeypatch.setattr("declnet.runner.training.REPORT_EVERY", -1)
    started("loop.ema=0.9", stop=(2, 3))
    text = Path("r/config.yaml").read_text(encoding="utf-8")
    Path("r/config.yaml").write_text(text.replace("ema: 0.9", "ema: null"), encoding="utf-8")
    with pytest.raises(Exception, match=r"last\.npz is of another average: it has 0\.bias, "):
        continued()


def test_the_average_is_evaluated_and_kept(fit: Callable[..., Trained]) -> None:
    """Training goes on from the parameters themselves, whatever is evaluated in between."""
    plain, averaged = fit(TEXT), fit(TEXT, "loop.ema=0.9", to="ema")
    for one, other in zip(plain.records, averaged.records, strict=True):
        assert one["train_loss"] == other["train_loss"]
        assert one["val_loss"] != other["val_loss"]
    for name, array in plain.arrays("last.npz").items():
        assert np.array_equal(array, averaged.arrays("last.npz")[name])
    assert averaged.summary["best_epoch"] == 3
    for name, array in averaged.arrays("last.npz", "ema/").items():
        assert np.array_equal(array, averaged.arrays("best.npz")[name])


@pytest.mark.parametrize("decay", ["0", "0.0"])
def test_a_decay_of_0_is_no_average(fit: Callable[..., Trained], decay: str) -> None:
    plain, averaged = fit(TEXT, "dtype=float64"), fit(TEXT, "dtype=float64", f"loop.ema={decay}", to="ema")
    for one, other in zip(plain.records, averaged.records, strict=True):
        assert one["val_loss"] == pytest.approx(other["val_loss"], rel=1e-12)


def test_steps_are_groups(fit: Callable[..., Trained], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("declnet.runner.training.REPORT_EVERY", -1)
    trained = fit(TEXT, "loop.accumulate=5", "loop.epochs=1")
    assert [event.step for event in trained.events if isinstance(event, Stepped)] == [1, 2, 3]


def test_nothing_to_watch(fit: Callable[..., Trained]) -> None:
    with pytest.raises(ConfigError) as caught:
        fit(
            TEXT,
            "loop.monitor=acuracy",
            "loop.early_stopping={patience: 1, monitor: lr}",
            "seed=-1",
        )
    assert [item.text for item in caught.value.diagnostics] == [
        "loop.monitor: there is no figure 'acuracy' of an epoch; did you mean 'accuracy'?",
        "loop.early_stopping.monitor: there is no figure 'lr' of an epoch; there is train_loss, val_loss or "
        "val_accuracy, and loop.metrics adds others",
        "seed: must be at least 0, got -1",
    ]
    with pytest.raises(ConfigError) as caught:
        fit(TEXT, "loop.monitor=accuracy", "data.split={train: 0.2, val: 0}")
    assert [item.text for item in caught.value.diagnostics] == [
        "loop.monitor: there are no validation rows (data.split.val), so all that can be watched is train_loss"
    ]


def test_a_metric_without_a_direction(fit: Callable[..., Trained], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("declnet.metrics.accuracy.Accuracy.higher_is_better", None)
    with pytest.raises(ConfigError, match="nobody knows whether val_accuracy is better high or low"):
        fit(TEXT, "loop.monitor=accuracy")
    fit(TEXT, "loop.early_stopping={patience: 1, monitor: accuracy, mode: max}", "loop.epochs=1")


def test_validate_shows_an_example_of_full_batches(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from declnet.app.inspect import inspect
    from declnet.app.validate import validate

    Path("c.yaml").write_text(TEXT, encoding="utf-8")
    assert validate(["c.yaml", "loop.batch_size=full"], strict=False, form="text") == 0
    inspect(Path("c.yaml"), ["loop.batch_size=full"], strict=False, form="text")
    shown = capsys.readouterr().out
    assert shown.count("ne batch of 32 rows, as an example of all, float32") == 2
