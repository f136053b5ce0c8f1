"""What a run that has been is found to be worth: its own figures to the last bit, and those of other rows."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from declnet.errors import CheckpointError, ConfigError, DataError
from declnet.runner.evaluate import evaluate
from declnet.runner.experiment import load
from declnet.runner.measure import for_json
from declnet.runner.train import train
from declnet.runner.trained import Trained

if TYPE_CHECKING:
    from conftest import Trained as Fitted

CONFIGS = Path(__file__).parents[2] / "configs"

TABLE = """\
data: {source: {type: CSV, path: t.csv}, inputs: [a, b], targets: {y: {columns: c, dtype: int64}}}
model: [{type: Linear, out_features: 4}, BatchNorm1d, Tanh, {type: Linear, out_features: 2}]
loss: CrossEntropyLoss
optimizer: {type: Adam, lr: 0.05}
loop: {epochs: 3, batch_size: 3, drop_last: true, metrics: [accuracy]}
"""


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("digits_mlp", ["loop.epochs=2"]),
        ("digits_cnn", ["loop.epochs=1", "data.split.train=0.2"]),
        ("digits_autoencoder", ["loop.epochs=2"]),
        ("digits_towers", ["loop.epochs=3"]),
        ("distill_kldiv", ["loop.epochs=3"]),
        ("curve_lbfgs", ["loop.epochs=2"]),
        ("digits_mlp", ["loop.epochs=1", "loop.batch_size=5000", "model.0.out_features=1500"]),
    ],
)
def test_the_figures_are_the_run_s_own(folder: Path, name: str, settings: list[str]) -> None:
    for _ in train(load(CONFIGS / f"{name}.yaml", settings), Path("r")):
        pass
    summary = json.loads(Path("r/summary.json").read_text(encoding="utf-8"))
    trained = Trained(Path("r"))
    found = {part: evaluate(trained, part=part) for part in ("val", "test")}
    assert {part: item.figures for part, item in found.items()} == {part: summary[part] for part in found}
    assert {part: item.rows for part, item in found.items()} == {part: summary["rows"][part] for part in found}
    assert evaluate(trained) == found["test"]


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(["loop.ema=0.7"], id="an average"),
        pytest.param(["loop.ema=0.7", "loop.accumulate=2", "loop.max_steps=9"], id="accumulation"),
        pytest.param(["loop.drop_last=false", "loop.batch_size=full"], id="all rows in a batch"),
        pytest.param(
            ["loop.metrics=[confusion_matrix, {type: top_k, k: 1}, auroc]", "loop.monitor=val_top_k(k=1)"],
            id="other metrics",
        ),
        pytest.param(["data.inputs={x: [a, b]}", "scheduler={type: LinearLR, total_iters: 3}"], id="a scheduler"),
        pytest.param(["data.inputs={x: ['*']}"], id="a pattern"),
    ],
)
def test_the_figures_are_the_run_s_own_however_it_was_trained(
    fit: Callable[..., Fitted], table: Path, settings: list[str]
) -> None:
    run = fit(TABLE, "data.split={train: 0.5, val: 0.25, test: 0.25}", *settings)
    trained, last = Trained(run.path), Trained(run.path, "last")
    for part in ("val", "test"):
        assert for_json(evaluate(trained, part=part).figures) == run.summary[part]
    figures = for_json(evaluate(last, part="val").figures)
    numbers = {f"val_{name}": value for name, value in figures.items() if not isinstance(value, list)}
    assert numbers == {name: run.records[-1][name] for name in numbers}


def test_the_average_is_what_is_evaluated(fit: Callable[..., Fitted], table: Path) -> None:
    run = fit(TABLE, "loop.ema=0.9")
    own, average = run.arrays("last.npz"), run.arrays("last.npz", "ema/")
    state = Trained(run.path, "last").state
    assert any((own[name] != average[name]).any() for name in average)
    assert "1.running_mean" not in average  # buffers are not averaged
    for name, array in state.items():
        np.testing.assert_array_equal(array, average.get(name, own[name]))
    assert state.keys() == own.keys()


def test_gzipped_files(fit: Callable[..., Fitted], table: Path) -> None:
    trained = Trained(fit(TABLE).path)
    whole = evaluate(trained, part="all")
    packed = Path("u.csv.gz")
    packed.write_bytes(gzip.compress(table.read_bytes()))
    assert evaluate(trained, data=packed) == whole


def test_another_file_for_columns_named_by_a_pattern(fit: Callable[..., Fitted], table: Path) -> None:
    """Its own header says what the pattern stands for."""
    trained = Trained(fit(TABLE, "data.inputs={x: ['*']}").path)
    whole = evaluate(trained, part="all")
    table.rename("u.csv")
    assert evaluate(trained, data=Path("u.csv")) == whole
    with pytest.raises(ConfigError, match=r"data\.source\.type: unknown source 'CVS'; did you mean 'CSV'\?"):
        evaluate(trained, ["data.source=CVS"], data=Path("u.csv"))


def test_a_last_batch_that_the_model_cannot_take(fit: Callable[..., Fitted], table: Path) -> None:
    """Training left it out; statistics of a single row are none."""
    text = TABLE.replace("BatchNorm1d", "{type: BatchNorm1d, track_running_stats: false}")
    trained = Trained(fit(text, "data.split={train: 0.8, val: 0.2, test: 0}", "loop.batch_size=4").path)
    table.write_text(table.read_text(encoding="utf-8") + "1,2,0\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        evaluate(trained, part="all")
    assert str(caught.value).splitlines()[0].partition(": error: ")[2] == (
        "model[1]: the last batch of the 21 rows has 1: BatchNorm1d needs more than 1 value per channel, for the "
        "statistics of the batch, but its input is (1, 4) (from model[0]); change loop.batch_size"
    )
    assert evaluate(trained, ["loop.batch_size=7"], part="all").rows == 21


def test_the_last_checkpoint_has_the_last_epoch_s_figures(fit: Callable[..., Fitted], table: Path) -> None:
    run = fit(TABLE, "loop.epochs=4", "optimizer.lr=3")  # so high that the first epochs are the best
    assert run.summary["best_epoch"] < 4
    for which, epoch in (("best", run.summary["best_epoch"]), ("last", 4)):
        trained = Trained(run.path, which)
        record = run.records[epoch - 1]
        assert trained.epoch == epoch
        assert evaluate(trained, part="val").figures == {
            "loss": record["val_loss"],
            "accuracy": record["val_accuracy"],
        }


def test_all_rows_are_those_of_the_splits(fit: Callable[..., Fitted], table: Path) -> None:
    trained = Trained(fit(TABLE).path)
    parts = [evaluate(trained, part=part) for part in ("train", "val", "test")]
    whole = evaluate(trained, part="all")
    assert whole.rows == sum(part.rows for part in parts) == 20
    for name in ("loss", "accuracy"):
        mean = sum(part.figures[name] * part.rows for part in parts) / 20
        np.testing.assert_allclose(whole.figures[name], mean, rtol=1e-6)


def test_another_file_is_evaluated_whole(fit: Callable[..., Fitted], table: Path) -> None:
    trained = Trained(fit(TABLE).path)
    whole = evaluate(trained, part="all")
    copy = Path("it's: another #file é.csv")
    copy.write_bytes(table.read_bytes())
    table.unlink()
    assert evaluate(trained, data=copy) == whole
    with pytest.raises(DataError, match=r"data\.source\.path: r/\.\./t\.csv: no such file"):
        evaluate(trained)
    # A single row is enough, though BatchNorm could not be trained on it, nor a batch be filled.
    copy.write_text("b,c,a\n2,1,1\n", encoding="utf-8")
    one = evaluate(trained, data=copy)
    assert one.rows == 1
    assert one.figures["accuracy"] in (0, 1)


def test_another_file_for_the_source_within_a_source(fit: Callable[..., Fitted], table: Path) -> None:
    text = """\
data:
  source: {type: Pairs, source: {type: CSV, path: t.csv}, label: c}
  inputs: {one: first_a, other: second_a}
  targets: {same: same}
model:
  - {type: Sub, inputs: [one, other]}
  - {type: Reshape, shape: [1]}
  - {type: Linear, out_features: 1}
  - {type: Reshape, shape: []}
loss: BCEWithLogitsLoss
optimizer: SGD
loop: {epochs: 1}
"""
    trained = Trained(fit(text).path)
    whole = evaluate(trained, part="all")
    table.rename("u.csv")
    assert evaluate(trained, data=Path("u.csv")) == whole


def test_settings_change_what_is_measured(fit: Callable[..., Fitted], table: Path) -> None:
    trained = Trained(fit(TABLE).path)
    assert list(evaluate(trained, ["loop.metrics=[]"]).figures) == ["loss"]
    with pytest.raises(CheckpointError) as caught:
        evaluate(trained, ["model.0.out_features=5", "model.1.num_features=5", "model.3.in_features=5"])
    assert str(caught.value) == (
        "error: r/checkpoints/best.npz: the checkpoint is of another model: its 0.weight is float32 (4, 2), the "
        "model's float32 (5, 2); config.yaml was changed after training, or settings change the model"
    )


def test_rows_there_are_not(fit: Callable[..., Fitted], table: Path) -> None:
    trained = Trained(fit(TABLE, "data.split={train: 0.8, val: 0.2, test: 0}").path)
    with pytest.raises(ConfigError) as caught:
        evaluate(trained)
    assert str(caught.value) == "error: the run has no test rows: data.split gives none; there is train, val, all"
    with pytest.raises(ConfigError) as caught:
        evaluate(trained, data=table, part="val")
    assert str(caught.value) == (
        "error: the split 'val' is one of the run's own rows; of another file all are evaluated"
    )


def test_a_source_without_a_file(folder: Path) -> None:
    for _ in train(load(CONFIGS / "digits_mlp.yaml", ["loop.epochs=1"]), Path("r")):
        pass
    with pytest.raises(ConfigError) as caught:
        evaluate(Trained(Path("r")), data=Path("u.csv"))
    assert str(caught.value) == "error: Digits reads no file, so no other one can take its place"


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("nothing", "`declnet train` writes one"),
        ("empty", "`declnet train` writes one"),
        ("r/config.yaml", "name the run's directory, not a file in it"),
        ("r/checkpoints/best.npz", "name the run's directory, not a file in it"),
    ],
)
def test_what_is_no_run(fit: Callable[..., Fitted], table: Path, path: str, hint: str) -> None:
    fit(TABLE, "loop.epochs=1")
    Path("empty").mkdir()
    with pytest.raises(ConfigError) as caught:
        Trained(Path(path))
    assert str(caught.value) == f"error: {path}: not a run's directory, which has a config.yaml: {hint}"


def test_checkpoints_that_cannot_be_used(fit: Callable[..., Fitted], table: Path) -> None:
    run = fit(TABLE)
    best, last = (run.path / "checkpoints" / f"{name}.npz" for name in ("best", "last"))
    best.write_bytes(last.read_bytes()[:500])
    with pytest.raises(
        CheckpointError, match=r"^error: r/checkpoints/best\.npz: not a checkpoint of declnet, or dam"
    ):
        Trained(run.path)
    best.unlink()
    with pytest.raises(CheckpointError) as caught:
        Trained(run.path)
    assert str(caught.value) == (
        "error: r/checkpoints/best.npz: the run has no such checkpoint; there is last.npz: ask for the checkpoint "
        "'last'"
    )
    last.unlink()
    with pytest.raises(CheckpointError) as caught:
        Trained(run.path, "last")
    assert str(caught.value) == "error: r/checkpoints/last.npz: the run has no such checkpoint; train again"


def test_the_summary(fit: Callable[..., Fitted], table: Path) -> None:
    run = fit(TABLE)
    assert Trained(run.path).summary == run.summary
    file = run.path / "summary.json"
    for text, why in (("{", "Expecting property name"), ("[]", "not a JSON object")):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(
            CheckpointError, match=f"^error: r/summary.json: damaged, or not written by declnet: {why}"
        ):
            _ = Trained(run.path).summary
    file.unlink()
    assert Trained(run.path).summary is None
