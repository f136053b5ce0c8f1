"""`loop.class_weights: balanced`: scikit-learn's weights, of the training rows alone, in the run's config."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from declnet.config.plain import plain
from declnet.core.spec import Array
from declnet.errors import ConfigError, DataError
from declnet.runner import resumption
from declnet.runner.class_weights import weighted
from declnet.runner.evaluate import evaluate
from declnet.runner.experiment import Experiment, load
from declnet.runner.rows import Rows
from declnet.runner.train import resume
from declnet.runner.trained import Trained
from runner.conftest import Trained as Fitted
from runner.runs import same
from runner.splits import TEXT, prepare

Fit = Callable[..., Fitted]
BALANCED = "loop.class_weights=balanced"


@pytest.fixture
def columns(folder: Path) -> dict[str, Array]:
    return prepare()


def loss_of(experiment: Experiment) -> Any:
    return plain(experiment.config, Path())["loss"]


def found(*overrides: str) -> tuple[Any, Rows]:
    """The loss of c.yaml with weights, and the rows."""
    experiment = load("c.yaml", (BALANCED, *overrides))
    rows = Rows(experiment)
    return loss_of(weighted(experiment, rows)), rows


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_as_scikit_learn_has_it(columns: dict[str, Array], seed: int) -> None:
    utils = pytest.importorskip("sklearn.utils.class_weight", reason="scikit-learn is what it is compared with")
    loss, rows = found(f"seed={seed}")
    labels = columns["kind"][rows.splits["train"]]
    expected = utils.compute_class_weight("balanced", classes=np.arange(3), y=labels)
    np.testing.assert_allclose(loss["weight"], expected, rtol=1e-15)


def test_every_class_weighs_the_same_in_all(columns: dict[str, Array]) -> None:
    loss, rows = found("data.split.method=stratified")
    counts = np.bincount(columns["kind"][rows.splits["train"]])
    np.testing.assert_allclose(counts * loss["weight"], counts.sum() / 3, rtol=1e-12)


def test_ignored_targets_are_not_counted(columns: dict[str, Array]) -> None:
    experiment = load("c.yaml", (BALANCED, "loss={type: CrossEntropyLoss, ignore_index: 3}", "loop.metrics=[]"))
    text = Path("t.csv").read_text("utf-8").splitlines()
    extra = [f"{i},{i},3,0" for i in range(60)]
    Path("t.csv").write_text("\n".join([*text, *extra]) + "\n", "utf-8")
    read = Rows(experiment)
    counts = np.bincount(np.array([*columns["kind"], *[3] * 60])[read.splits["train"]])[:3]
    weights = loss_of(weighted(experiment, read))["weight"]
    np.testing.assert_allclose(weights, counts.sum() / (3 * counts), rtol=1e-12)


BINARY = """\
name: net
data: {source: {type: CSV, path: t.csv}, inputs: [a, b], targets: TARGETS}
model: [{type: Linear, out_features: 1}OUT]
loss: BCEWithLogitsLoss
optimizer: SGD
loop: {epochs: 1, class_weights: balanced}
"""


def test_of_two_classes_the_positive_one_has_a_weight(columns: dict[str, Array]) -> None:
    lines = [f"{i},{i},{int(i % 4 == 0)},{int(i % 5 == 0)}" for i in range(200)]
    Path("t.csv").write_text("\n".join(["a,b,p,q", *lines]) + "\n", "utf-8")
    Path("c.yaml").write_text(BINARY.replace("TARGETS", "[p]").replace("OUT", ""), "utf-8")
    loss, rows = found()
    train = rows.splits["train"]
    positive = (train % 4 == 0).sum()
    assert loss["pos_weight"] == [(len(train) - positive) / positive]
    two = BINARY.replace("TARGETS", "[p, q]").replace("OUT", "").replace("features: 1", "features: 2")
    Path("c.yaml").write_text(two, "utf-8")
    loss, rows = found()
    train = rows.splits["train"]
    counts = np.array([(train % 4 == 0).sum(), (train % 5 == 0).sum()])
    assert loss["pos_weight"] == ((len(train) - counts) / counts).tolist()


def test_the_run_has_numbers(columns: dict[str, Array], fit: Fit) -> None:
    """With them written out by hand it comes to the same bits, and goes on to them."""
    run = fit(TEXT, BALANCED)
    text = (run.path / "config.yaml").read_text("utf-8")
    assert "class_weights: null" in text
    weights = loss_of(load(run.path / "config.yaml"))["weight"]
    assert weights == found()[0]["weight"]
    fit(TEXT, f"loss={{type: CrossEntropyLoss, weight: {weights}}}", to="by-hand")
    same("r", "by-hand")
    assert evaluate(Trained(run.path)).figures == run.summary["test"]
    fit(TEXT, BALANCED, "loop.epochs=5", to="longer")
    list(resume(resumption.load(run.path, ("loop.epochs=5",)), run.path))
    same("longer", "r")


def test_going_on_with_the_config_it_began_with(columns: dict[str, Array], fit: Fit) -> None:
    run = fit(TEXT, BALANCED)
    again = resumption.load(run.path, (BALANCED, "loop.epochs=5"), Path("c.yaml"))
    list(resume(again, run.path))
    fit(TEXT, BALANCED, "loop.epochs=5", to="longer")
    same("longer", "r")
    fit(TEXT, to="without")
    with pytest.raises(ConfigError, match=r"loss.weight: null in without/config.yaml"):
        resumption.load(Path("without"), (BALANCED,), Path("c.yaml"))


def test_evaluation_counts_no_classes(columns: dict[str, Array], fit: Fit) -> None:
    run = fit(TEXT)
    with pytest.raises(ConfigError, match="classes are weighed when a run begins"):
        evaluate(Trained(run.path), (BALANCED,))


def test_terms_that_weigh_no_classes_stay_as_they_are(columns: dict[str, Array]) -> None:
    loss, _ = found(
        "loss=[{type: CrossEntropyLoss, scale: 0.5}, {type: MSELoss, inputs: ['0', x], scale: 0.1}]",
        "model=[{type: Linear, out_features: 2}, {type: Linear, out_features: 3}]",
    )
    first, second = loss
    assert len(first["weight"]) == 3
    assert (first["scale"], second["type"], second["scale"]) == (0.5, "MSELoss", 0.1)


REFUSED = {
    "loss=MSELoss": "CrossEntropyLoss, NLLLoss and BCEWithLogitsLoss take class weights, not MSELoss",
    "loss={type: CrossEntropyLoss, weight: [1, 2, 3]}": "CrossEntropyLoss has its weight already; leave one of the "
    "two out",
}


@pytest.mark.parametrize("setting", REFUSED)
def test_refused_before_a_row_is_read(columns: dict[str, Array], setting: str) -> None:
    extra = ("data.targets=[a, b, who]", "loop.metrics=[]") if "MSE" in setting else ()
    with pytest.raises(ConfigError) as caught:
        load("c.yaml", (BALANCED, setting, *extra))
    assert [item.text for item in caught.value.diagnostics] == [f"loop.class_weights: {REFUSED[setting]}"]


def test_shares_of_classes_cannot_be_counted(columns: dict[str, Array]) -> None:
    with pytest.raises(ConfigError, match="the target of CrossEntropyLoss holds shares of classes"):
        load("c.yaml", (BALANCED, "data.targets=[a, b, who]", "loop.metrics=[]"))


def test_classes_that_are_missing(columns: dict[str, Array]) -> None:
    for out, words in ((4, "class 3 is missing"), (6, "classes 3, 4 and 5 are missing")):
        with pytest.raises(DataError, match=rf"loop.class_weights: balanced: {words}.* in the training rows"):
            found(f"model=[{{type: Linear, out_features: {out}}}]")


def test_positives_that_are_missing(columns: dict[str, Array]) -> None:
    lines = [f"{i},{i},{i % 2},0" for i in range(40)]
    Path("t.csv").write_text("\n".join(["a,b,p,q", *lines]) + "\n", "utf-8")
    two = BINARY.replace("TARGETS", "[p, q]").replace("OUT", "").replace("features: 1", "features: 2")
    Path("c.yaml").write_text(two, "utf-8")
    with pytest.raises(
        DataError, match="balanced: no target is positive in column 1 of the target in the training"
    ):
        found()
