"""The memory that is foretold from shapes alone against what a whole run allocates, as tracemalloc counts it.

It is that of arrays. On top come Python's objects: the views and functions of each plan. An MLP has some hundred
kilobytes of them, whatever its width; where large values are cut into blocks, and convolutions into parts, each has
its own. So where all is counted that a run allocates, the networks here take ten megabytes and more, and their last
batches are small; of the examples, which are small, the arrays are counted.
"""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from declnet.core.numerics import zeros
from declnet.core.optimizer import Group
from declnet.core.registry import optimizers
from declnet.core.spec import Spec, numpy_dtype
from declnet.runner.events import EpochEnded
from declnet.runner.experiment import load
from declnet.runner.figures import figures
from declnet.runner.rows import Rows
from declnet.runner.train import train
from examples import CONFIGS, pointed_at

SHARE = 0.05
ARRAYS = tracemalloc.DomainFilter(True, np.lib.tracemalloc_domain)

MLP = """\
model:
  - {type: Linear, out_features: 800}
  - ReLU
  - {type: Linear, out_features: 1000}
  - {type: Dropout, p: 0.1}
  - {type: Linear, out_features: 10}
loss: CrossEntropyLoss
"""
CNN = """\
data: {source: {type: Digits, flatten: false}, split: {train: 0.25, val: 0.05, test: 0.05}}
model:
  - {type: Conv2d, out_channels: 96, kernel_size: 3, padding: same}
  - BatchNorm2d
  - ReLU
  - {type: Dropout2d, p: 0.3}
  - {type: Conv2d, out_channels: 128, kernel_size: 3, stride: 2, padding: 1, padding_mode: reflect}
  - BatchNorm2d
  - ReLU
  - Flatten
  - {type: Linear, out_features: 10}
loss: CrossEntropyLoss
loop: {epochs: 1, batch_size: 400}
"""
RESIDUAL = """\
data: {source: {type: Digits, flatten: false}, split: {train: 0.25, val: 0.05, test: 0.05}}
model:
  - {type: Conv2d, out_channels: 96, kernel_size: 3, padding: 1, name: stem}
  - {type: GroupNorm, num_groups: 4}
  - ReLU
  - {type: Conv2d, out_channels: 96, kernel_size: 3, padding: 1, name: branch}
  - {type: Add, inputs: [branch, stem]}
  - {type: AvgPool2d, kernel_size: 2}
  - Flatten
  - {type: Linear, out_features: 10}
loss: CrossEntropyLoss
loop: {epochs: 1, batch_size: 400}
"""
LOOKUP = """\
data: {source: {type: Digits}, inputs: {x: image, k: label}, targets: {y: label}}
model:
  - {type: Embedding, num_embeddings: 10, embedding_dim: 64, inputs: k, name: known}
  - {type: Linear, out_features: 256, inputs: x, name: seen}
  - {type: Bilinear, out_features: 40, inputs: [known, seen]}
  - {type: Linear, out_features: 10}
loss: CrossEntropyLoss
"""
SHARED = """\
model:
  - {type: Sequential, name: encoder, layers: [{type: Linear, out_features: 1200}, SiLU, {type: Linear, out_features: 64}]}
  - {type: Dropout, name: noisy, inputs: x}
  - {use: encoder, name: again, inputs: noisy}
  - {type: Linear, out_features: 10}
loss:
  - {type: MSELoss, inputs: {input: encoder, target: again}, scale: 0.1}
  - CrossEntropyLoss
"""  # noqa: E501 - a config
GROUPS = "{type: RMSprop, centered: true, momentum: 0.9, groups: [{match: ['*.bias', '0.*'], weight_decay: 0.1}]}"
LBFGS = "{type: LBFGS, history_size: 7, max_iter: 3, line_search_fn: strong_wolfe}"
CASES = {
    "MLP, AdamW": MLP,
    "MLP, SGD": f"{MLP}optimizer: {{type: SGD, lr: 0.01}}\n",
    "MLP, groups": f"{MLP}optimizer: {GROUPS}\n",
    "MLP, LBFGS on full batches": f"{MLP}optimizer: {LBFGS}\nloop: {{epochs: 1, batch_size: 1438}}\n",
    "MLP, float64, odd batches": f"{MLP}dtype: float64\nloop: {{epochs: 1, batch_size: 321}}\n",
    "MLP, accumulation and average": f"{MLP}loop: {{epochs: 1, batch_size: 500, accumulate: 2, ema: 0.9}}\n",
    "MLP, frozen": MLP.replace("out_features: 1000", "out_features: 1000, freeze: true"),
    "MLP, first values": MLP.replace("out_features: 1000", "out_features: 1000, init: {weight: trunc_normal_}"),
    "CNN": CNN,
    "residual": RESIDUAL,
    "Embedding, Bilinear": LOOKUP,
    "shared weights, two terms": SHARED,
}
DEFAULTS = {
    "data": "data: {source: {type: Digits}}\n",
    "optimizer": "optimizer: AdamW\n",
    "loop": "loop: {epochs: 1, batch_size: 500, metrics: [accuracy]}\n",
}


def written(text: str) -> Path:
    """A config, with the sections that it leaves out."""
    missing = [line for section, line in DEFAULTS.items() if f"{section}:" not in text]
    path = Path("c.yaml")
    path.write_text("".join([text, *missing]), encoding="utf-8")
    return path


@pytest.mark.parametrize("case", CASES)
def test_a_run_allocates_what_was_foretold(folder: Path, case: str) -> None:
    """All of a run: first values, steps, the last short batch, evaluation, the best epoch, checkpoints."""
    experiment = load(written(CASES[case]))
    rows = Rows(experiment)
    data = sum(array.nbytes for array in (*rows.arrays(), *rows.splits.values()))
    gc.collect()
    tracemalloc.start()
    try:
        for _ in train(experiment, Path("r")):
            pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    foretold = figures(experiment).memory.total
    assert foretold > 8e6
    assert peak - data == pytest.approx(foretold, rel=SHARE)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_arrays_of_an_example(folder: Path, stand_ins: Path, path: Path) -> None:
    """Of any size, but for a block of constants that all runs of a process share."""
    experiment = load(path, ["loop.epochs=1", *pointed_at(path, stand_ins)])
    rows = Rows(experiment)
    data = sum(array.nbytes for array in (*rows.arrays(), *rows.splits.values()))
    tracemalloc.start()
    try:
        for event in train(experiment, Path("r")):
            if isinstance(event, EpochEnded):
                traces = tracemalloc.take_snapshot().filter_traces([ARRAYS]).traces
        taken = sum(trace.size for trace in traces) - data
    finally:
        tracemalloc.stop()
    foretold = figures(experiment).memory.total
    assert abs(taken - foretold) < SHARE * foretold + zeros(np.dtype("float32")).nbytes


@pytest.mark.parametrize("size", [64, 100_000])
@pytest.mark.parametrize("name", optimizers.load())
def test_an_optimizer_takes_the_work_space_that_it_says(name: str, size: int) -> None:
    """Less than a block, and several; beside it only views and constants."""
    optimizer = optimizers[name].model_validate({"type": name, "lr": 0.1})
    state = {
        key: np.full(item.shape, item.value, numpy_dtype(item.kind, "float32"))
        for key, item in optimizer.state(size).items()
    }
    group = Group(np.zeros(size, np.float32), np.zeros(size, np.float32), state)
    tracemalloc.start()
    try:
        update = optimizer.bind(group, lambda: 1.0)
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert callable(update)
    assert 0 <= taken - Spec((optimizer.work(size),)).nbytes("float32") < 2000 + size / 10
