"""Checks of pairs about data, whole runs and what a run leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812 - its usual name
from torch.utils.data import DataLoader, RandomSampler, Subset, TensorDataset, random_split

from declnet.core.random import generator
from declnet.core.spec import DType, numpy_dtype
from declnet.data import table
from declnet.runner import checkpoint
from declnet.runner.events import Finished
from declnet.runner.experiment import Experiment, load
from declnet.runner.model import Model
from declnet.runner.rows import Rows
from declnet.runner.train import train
from guide.one_liners import TOLERANCE
from guide.page import Pair
from guide.sides import Twin, complete, draw, write
from twins.compare import close, hand_over

HEADER = "sepal_length,sepal_width,petal_length,petal_width,species"
COUNT = 150


def dataset_of(experiment: Experiment, dtype: DType) -> TensorDataset:
    """A config's rows as PyTorch has them."""
    fields = experiment.inputs | experiment.targets
    arrays = table.read(experiment.config.data.source, fields, dtype)
    # What would only grow is left to batches to convert: here the batch is all rows.
    whole = (array.astype(numpy_dtype(fields[name].spec.kind, dtype)) for name, array in arrays.items())
    return TensorDataset(*map(torch.from_numpy, whole))


def splitting(rows: Rows) -> Callable[[TensorDataset, Sequence[float]], list[Subset[tuple[torch.Tensor, ...]]]]:
    """A `random_split` that gives each share the rows that declnet drew for it: as many, but for rounding."""

    def split(dataset: TensorDataset, lengths: Sequence[float]) -> list[Subset[tuple[torch.Tensor, ...]]]:
        for theirs, ours in zip(random_split(dataset, lengths), rows.splits.values(), strict=True):
            assert abs(len(theirs) - len(ours)) <= 1
        return [Subset(dataset, part.tolist()) for part in rows.splits.values()]

    return split


def trained(experiment: Experiment, directory: Path | None = None) -> Finished:
    *_, last = train(experiment, directory)
    assert isinstance(last, Finished)
    return last


def run(pair: Pair) -> None:
    """A whole run, on the same rows in the same order: what was learned, and the figures of the test rows."""
    path = Path("config.yaml")
    path.write_text(pair.yaml, encoding="utf-8")
    experiment = load(path, ["dtype=float64", "loop.shuffle=false"], strict=True)
    rows = Rows(experiment)
    model = Model(experiment, rows.sizes(), np.random.default_rng(0))
    model.store.initialize(generator(experiment.config.seed, "initialize"))
    assert "shuffle=True" in pair.python
    assert load(path).config.loop.shuffle
    unshuffled = replace(pair, python=pair.python.replace("shuffle=True", "shuffle=False"))
    with mock.patch.object(torch.utils.data, "random_split", splitting(rows)):
        twin = Twin(unshuffled, dataset=dataset_of(experiment, "float64"))
    hand_over(model, twin.model)
    names = twin.use()
    test = trained(experiment, Path("run")).summary["test"]
    assert test == pytest.approx({"loss": names["test_loss"], "accuracy": names["test_accuracy"]}, rel=TOLERANCE)
    arrays, _ = checkpoint.load(Path("run", "checkpoints", "best.npz"))
    for name, array in twin.model.state_dict().items():
        close(name, arrays[f"model/{name}"], array, TOLERANCE)


def loader(pair: Pair) -> None:
    """Splits and batches: as many, as large, of the same kinds, drawn anew where PyTorch draws."""
    rng = np.random.default_rng(0)
    lines = [",".join(map(repr, [*rng.normal(size=4).tolist(), row % 3])) for row in range(COUNT)]
    Path("iris.csv").write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    path = Path("config.yaml")
    path.write_text(complete(pair, "CrossEntropyLoss", 3), encoding="utf-8")
    experiment = load(path, strict=True)
    rows = Rows(experiment)
    model = Model(experiment, rows.sizes(), np.random.default_rng(0))
    with mock.patch.object(torch.utils.data, "random_split", splitting(rows)):
        theirs = Twin(pair, dataset=dataset_of(experiment, "float32")).use()["loader"]
    assert isinstance(theirs, DataLoader)
    loop = experiment.config.loop
    assert loop.shuffle == isinstance(theirs.sampler, RandomSampler)
    batches = rows.batches(rows.splits["train"], model.plans, training=True)
    ours = [[(a.shape, str(a.dtype)) for a in plan.inputs.values()] for plan, _ in batches]
    assert ours == [[(tuple(t.shape), str(t.dtype).removeprefix("torch.")) for t in batch] for batch in theirs]
    assert len(rows.splits["train"]) % loop.batch_size, "nothing to drop"


def loop(pair: Pair) -> None:
    """Epochs of steps: what is learned, and the average of it where there is one."""
    twin = Twin(pair)
    path = write(pair, *draw(pair, twin))
    experiment = load(path, ["dtype=float64", "loop.shuffle=false"], strict=True)
    rows = Rows(experiment)
    model = Model(experiment, rows.sizes(), np.random.default_rng(0))
    model.store.initialize(generator(experiment.config.seed, "initialize"))
    hand_over(model, twin.model)
    dataset = dataset_of(experiment, "float64")
    chosen = map(torch.from_numpy, rows.cut(rows.splits["train"], training=True))
    names = twin.use(loader=[dataset[numbers] for numbers in chosen])
    trained(experiment, Path("run"))
    arrays, _ = checkpoint.load(Path("run", "checkpoints", "last.npz"))
    for name, array in twin.model.state_dict().items():
        close(name, arrays[f"model/{name}"], array, TOLERANCE)
    averages = dict(names["average"].module.named_parameters()) if "average" in names else {}
    assert checkpoint.part(arrays, "ema/").keys() == averages.keys()
    for name, array in averages.items():
        close(name, arrays[f"ema/{name}"], array, TOLERANCE)


def reading(pair: Pair) -> None:
    """The checkpoint of a run in PyTorch: the same values under the same names, and the same test loss."""
    Path("config.yaml").write_text(pair.yaml, encoding="utf-8")
    experiment = load("config.yaml", ["loop.epochs=2"], strict=True)
    summary = trained(experiment).summary
    twin = Twin(pair)
    twin.use()
    arrays, _ = checkpoint.load(Path(str(summary["run_dir"]), "checkpoints", "best.npz"))
    state = twin.model.state_dict()
    assert checkpoint.part(arrays, "model/").keys() == state.keys()
    for name, array in checkpoint.part(arrays, "model/").items():
        close(name, array, state[name], 0)
    assert not twin.model.training
    x, y = dataset_of(experiment, "float32")[Rows(experiment).splits["test"]]
    output = twin.call({"x": x})
    found = {"loss": F.cross_entropy(output, y).item(), "accuracy": (output.argmax(1) == y).double().mean().item()}
    assert summary["test"] == pytest.approx(found, rel=1e-5)
