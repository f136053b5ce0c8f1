"""The examples reach what their headers state, less a margin; as a mean over seeds where these are quick.

Those that take minutes run with `-m slow`, where their data are: docs/results.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from declnet.core.spec import Array
from declnet.runner import checkpoint, folds
from declnet.runner.events import Finished
from declnet.runner.experiment import load
from declnet.runner.model import Model
from declnet.runner.rows import Rows
from declnet.runner.train import train
from examples import CONFIGS, FOLDER

ACCURACY = {
    "digits_cnn": ([0, 1, 2], 0.96),
    "digits_residual": ([0], 0.97),
    "digits_autoencoder": ([0, 1, 2], 0.95),
    "digits_towers": ([0, 1, 2], 0.90),
    "distill_kldiv": ([0, 1, 2], 0.96),
}
"""Seeds, and the test accuracy that their mean is at least."""


def trained(name: str, seed: int, to: Path, *overrides: str) -> dict[str, Any]:
    """Train an example into a directory; its figures on the test rows."""
    *_, last = train(load(FOLDER / f"{name}.yaml", [f"seed={seed}", *overrides]), to)
    assert isinstance(last, Finished)
    test = last.summary["test"]
    assert isinstance(test, dict)
    return test


def losses(name: str, seed: int, run: Path, *overrides: str) -> Array:
    """The loss of each test row alone, with the best parameters of a run."""
    experiment = load(FOLDER / f"{name}.yaml", [f"seed={seed}", "loop.batch_size=1", *overrides])
    model = Model(experiment, [(False, 1)], np.random.default_rng(0))
    arrays, _ = checkpoint.load(run / "checkpoints" / "best.npz")
    model.store.load_state_dict({k.removeprefix("model/"): v for k, v in arrays.items() if k.startswith("model/")})
    rows = Rows(experiment)
    batches = rows.batches(rows.splits["test"], model.plans, training=False)
    return np.array([plan.run() for plan, _ in batches])


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def test_each_config_has_a_result() -> None:
    others = {"digits_mlp", "curve_lbfgs", "digits_siamese", "mnist_cnn", "shakespeare", "penguins", "housing"}
    assert ACCURACY.keys() | others == {path.stem for path in CONFIGS}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_main_job_reaches_its_accuracy(folder: Path, seed: int) -> None:
    assert trained("digits_mlp", seed, folder / "run")["accuracy"] >= 0.96


@pytest.mark.parametrize("name", ACCURACY)
def test_accuracy(folder: Path, name: str) -> None:
    seeds, bound = ACCURACY[name]
    assert mean([trained(name, seed, folder / str(seed))["accuracy"] for seed in seeds]) >= bound


def test_the_curve_is_as_close_as_the_noise_allows(folder: Path) -> None:
    found = [trained("curve_lbfgs", seed, folder / str(seed))["loss"] for seed in range(3)]
    assert mean(found) <= 0.004


def test_triplets_are_in_order(folder: Path) -> None:
    """A triplet is in order where its loss is less than the margin."""
    shares = []
    for seed in range(3):
        loss = trained("digits_siamese", seed, folder / str(seed))["loss"]
        each = losses("digits_siamese", seed, folder / str(seed))
        np.testing.assert_allclose(loss, each.mean(), rtol=1e-4)
        assert loss <= 0.08
        shares.append(np.mean(each < 0.5))
    assert mean(shares) >= 0.96


def test_images_are_drawn_again(folder: Path) -> None:
    trained("digits_autoencoder", 0, folder / "run")
    drawing = ("loss.0.scale=1", "loss.1={type: CrossEntropyLoss, scale: 0}")
    each = losses("digits_autoencoder", 0, folder / "run", *drawing)
    assert each.mean() <= 0.016


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_mnist(folder: Path, real_data: Callable[[str], Path], seed: int) -> None:
    data = real_data("mnist10k-images-idx3-ubyte.gz").parent
    assert trained("mnist_cnn", seed, folder / "run", f"vars.folder={data}")["accuracy"] >= 0.983


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_shakespeare(folder: Path, real_data: Callable[[str], Path], seed: int) -> None:
    """Nats a character, on the last tenth of the text."""
    data = real_data("tinyshakespeare.txt").parent
    assert trained("shakespeare", seed, folder / "run", f"vars.folder={data}")["loss"] <= 1.72


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_penguins(folder: Path, real_data: Callable[[str], Path], seed: int) -> None:
    """The mean over five folds, each tested on rows that it was not trained on."""
    settings = [f"seed={seed}", f"vars.path={real_data('penguins.csv')}"]
    *_, last = folds.train(load(FOLDER / "penguins.yaml", settings), folder / "run")
    assert isinstance(last, Finished)
    assert len(last.summary["folds"]) == 5
    assert last.summary["mean"]["test"]["accuracy"] >= 0.97


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer. Maximum iterations")  # it is to do as many, and no more
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_housing_against_scikit_learn(folder: Path, real_data: Callable[[str], Path], seed: int) -> None:
    """The same rows, layers and epochs; and its own batch size and rate, or the example's."""
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    from peers import housing_rmse

    path = real_data("housing.csv")
    settings = [f"seed={seed}", f"vars.path={path}"]
    experiment = load(FOLDER / "housing.yaml", settings)
    own = trained("housing", seed, folder / "run", settings[1])["rmse"]
    rows, epochs = Rows(experiment).splits, experiment.config.loop.epochs
    assert epochs is not None
    same = {"batch_size": experiment.config.loop.batch_size, "learning_rate_init": 3e-3}
    others = [
        housing_rmse(path, rows["train"], rows["test"], hidden=(128, 128), epochs=epochs, seed=seed, **kinds)
        for kinds in ({}, same)
    ]
    assert 45_000 < own <= min(others) < 60_000
