"""A step allocates nothing that grows: after the first steps, no memory is taken but Python's small change."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from declnet.activations.relu import ReLU
from declnet.activations.softmax import LogSoftmax
from declnet.core.component import Loss, Module
from declnet.core.optimizer import Optimizer
from declnet.core.spec import Spec
from declnet.dropout.dropout import Dropout
from declnet.layers.linear import Linear
from declnet.losses.cross_entropy import CrossEntropyLoss
from declnet.losses.l1 import L1Loss
from declnet.losses.mse import MSELoss
from declnet.losses.smooth_l1 import SmoothL1Loss
from declnet.operations.flatten import Flatten
from declnet.optimizers.adam import Adam, AdamW
from declnet.optimizers.sgd import SGD
from declnet.runner.model import Optimization
from plan.parts import Bench, Bump, Net, Swap, draw

BUDGET = 7000
"""Bytes: Python objects, views, NumPy's iterators. A float32 for each of 2048 rows would be 8192."""

SHARED = 20_000
"""The same for an optimizer whose vectors several threads take in turns. A block of them would be 262,144."""

WIDTH, CLASSES = 24, 10


@pytest.fixture(autouse=True)
def small_buffers() -> Iterator[None]:
    """Where NumPy broadcasts or casts, its iterators take buffers of 8192 elements at most; that is no array
    of ours, and 64 will do.
    """
    with np.errstate():  # restores the buffer size too
        np.setbufsize(64)
        yield


def build(components: list[Module], loss: Loss, rows: int) -> Net:
    net = Net(x=Spec((rows, 4, WIDTH // 4)), y=Spec((rows,), "int"), z=Spec((rows, CLASSES)))
    head = net.call(Linear(out_features=CLASSES), net.chain(net["x"], *components))
    net.term(loss, head, net["y" if isinstance(loss, CrossEntropyLoss) and not loss.weight else "z"])
    return net


def peak(step: Callable[[], object]) -> int:
    """Bytes that 20 steps take at most, beyond what was there before them."""
    gc.collect()
    gc.disable()
    try:
        for _ in range(30):  # fills the interpreter's free lists, which a collection would empty
            step()
        tracemalloc.start()
        step()
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(20):
            step()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
        gc.enable()


MODELS: dict[str, Callable[[], list[Module]]] = {
    "Linear": lambda: [Flatten()],
    "ReLU, Dropout": lambda: [
        Flatten(),
        Linear(out_features=32),
        ReLU(),
        Dropout(p=0.5),
        Linear(out_features=8),
        ReLU(),
    ],
    "LogSoftmax": lambda: [Flatten(), LogSoftmax(dim=1), Linear(out_features=16), LogSoftmax(), Dropout(p=0.1)],
    "LogSoftmax over a middle dimension": lambda: [
        Linear(out_features=4),
        LogSoftmax(dim=1),
        ReLU(),
        Swap(),
        Flatten(),
    ],
}
LOSSES: dict[str, Callable[[], Loss]] = {
    "CrossEntropyLoss": CrossEntropyLoss,
    "smoothed": lambda: CrossEntropyLoss(label_smoothing=0.1),
    "probabilities": lambda: CrossEntropyLoss(weight=(0.5,) * CLASSES),
    "MSELoss": MSELoss,
    "MSELoss, sum": lambda: MSELoss(reduction="sum"),
    "L1Loss": L1Loss,
    "SmoothL1Loss": SmoothL1Loss,
}
OPTIMIZERS: dict[str, Callable[[], Optimizer]] = {
    "SGD": lambda: SGD(lr=1e-3),
    "SGD, momentum": lambda: SGD(lr=1e-3, momentum=0.9, nesterov=True, weight_decay=1e-4),
    "Adam": lambda: Adam(lr=1e-3, weight_decay=1e-4, amsgrad=True),
    "AdamW": AdamW,
}


@pytest.mark.parametrize("rows", [64, 2048])
@pytest.mark.parametrize(
    ("model", "loss"), [(model, "MSELoss, sum") for model in MODELS] + [("ReLU, Dropout", loss) for loss in LOSSES]
)
def test_a_step_allocates_nothing(model: str, loss: str, rows: int) -> None:
    """Both modes, and the batch put into its buffers; float32 as in a config without a dtype."""
    net = build(MODELS[model](), LOSSES[loss](), rows)
    plans = Bench({"train": (net.graph, True), "eval": (net.graph, False)}, dtype="float32")
    optimization = Optimization([AdamW()], plans.store)
    data = draw(net.graph, 0, "float32")

    def step() -> None:
        for plan in plans.plans.values():
            for name, buffer in plan.inputs.items():
                np.copyto(buffer, data[name])
        plans.plans["eval"].run()
        optimization.step(plans.plans["train"])

    assert peak(step) < BUDGET


@pytest.mark.parametrize("width", [4, 40_000])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_an_optimizer_allocates_nothing(optimizer: str, width: int) -> None:
    """1 block of parameters, or several."""
    net = Net(x=Spec((2, width)))
    net.term(MSELoss(), net.chain(net["x"], Linear(out_features=10), Linear(out_features=width)), net["x"])
    plans = Bench({"train": (net.graph, True)}, dtype="float32")
    optimization = Optimization([OPTIMIZERS[optimizer]()], plans.store)
    plans.run("train", draw(net.graph, 0, "float32"))
    assert peak(lambda: optimization.step(plans.plans["train"])) < (BUDGET if width < 1000 else SHARED)


def test_the_measure_sees_an_array() -> None:
    """Bump makes arrays as large as its input."""
    net = build([Flatten(), Linear(out_features=1), Bump()], MSELoss(), 2048)
    plan = Bench({"train": (net.graph, True)}, dtype="float32").plans["train"]
    assert peak(plan.run) > BUDGET
