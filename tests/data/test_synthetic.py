"""Made-up data: the rules that they follow, and that a small network learns them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from declnet.core.source import Source
from declnet.data.sources.synthetic import Moons, Regression, Spirals
from declnet.runner.events import Finished
from declnet.runner.experiment import load
from declnet.runner.train import train

SOURCES = [
    Spirals(),
    Spirals(samples=7, classes=4),
    Spirals(samples=2, classes=5),
    Moons(),
    Moons(samples=1),
    Regression(),
    Regression(samples=3, features=7, outputs=2),
]


@pytest.mark.parametrize("source", SOURCES, ids=repr)
def test_columns_and_rows_agree(source: Source) -> None:
    names = [*source.columns()]
    first, again = source.read(names), source.read(names[::-1])
    assert list(again) == names[::-1]
    other = source.model_copy(update={"seed": 1}).read(names)
    for name, column in source.columns().items():
        assert first[name].shape == (source.samples, *column.shape)  # type: ignore[attr-defined] # all have it
        assert first[name].dtype == (np.int64 if column.kind == "int" else np.float64)
        np.testing.assert_array_equal(first[name], again[name])
    assert not np.array_equal(first["x"], other["x"])


def test_spirals_without_noise() -> None:
    """Each point lies where the formula puts it; an arm runs from the middle to the distance 1."""
    rows = Spirals(samples=10, classes=3, turns=1.25, noise=0).read(["x", "label"])
    assert rows["label"].tolist() == [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]
    for label, count in enumerate((4, 3, 3)):
        points = rows["x"][rows["label"] == label] @ [1, 1j]
        share = np.linspace(0, 1, count)
        np.testing.assert_allclose(points, share * np.exp(2j * np.pi * (1.25 * share + label / 3)), atol=1e-15)


@pytest.mark.parametrize("samples", [2, 9, 100])
def test_moons_equal_scikit_learn_s(samples: int) -> None:
    make_moons = pytest.importorskip("sklearn.datasets").make_moons
    x, label = make_moons(samples, shuffle=False)
    rows = Moons(samples=samples, noise=0).read(["x", "label"])
    np.testing.assert_allclose(rows["x"], x, atol=1e-15)
    np.testing.assert_array_equal(rows["label"], label)


@pytest.mark.parametrize("noise", [0, 0.3])
def test_regression_is_linear_but_for_its_noise(noise: float) -> None:
    rows = Regression(samples=5000, features=3, outputs=2, noise=noise).read(["x", "y"])
    x = np.concatenate([rows["x"], np.ones((5000, 1))], axis=1)
    found, *_ = np.linalg.lstsq(x, rows["y"])
    rest = rows["y"] - x @ found
    assert np.std(rest) == pytest.approx(noise, rel=0.05, abs=1e-12)
    assert np.abs(found).min() > 1e-3


CONFIG = """\
data: {source: %s}
model: [{type: Linear, out_features: 32}, Tanh, {type: Linear, out_features: %d}]
loss: %s
optimizer: {type: Adam, lr: 0.02}
loop: {epochs: 60%s}
"""
METRIC = ", metrics: [accuracy]"


@pytest.mark.parametrize(
    ("config", "figure", "least", "most"),
    [
        (("Spirals", 3, "CrossEntropyLoss", METRIC), "accuracy", 0.95, 1),
        (("Moons", 2, "CrossEntropyLoss", METRIC), "accuracy", 0.95, 1),
        (("Regression", 1, "MSELoss", ""), "loss", 0, 0.1),
    ],
    ids=["Spirals", "Moons", "Regression"],
)
def test_a_network_learns_it(
    folder: Path, config: tuple[str, int, str, str], figure: str, least: float, most: float
) -> None:
    Path("c.yaml").write_text(CONFIG % config, encoding="utf-8")
    *_, last = train(load("c.yaml"), Path("r"))
    assert isinstance(last, Finished)
    assert least <= last.summary["test"][figure] <= most  # type: ignore[index] # a mapping
