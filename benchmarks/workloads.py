"""The table of workloads: a new one is an entry here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from benchmarks import scaling
from benchmarks.alone import CLASSES, Alone, Drawn, Law, sizes
from benchmarks.frame import OURS, ROOT, Figure, Workload
from benchmarks.overhead import Overhead
from benchmarks.processes import Processes
from benchmarks.steps import Steps
from benchmarks.updates import Updates

HERE: Final = Path(__file__).parent

DATA_FOLDER: Final = "DECLNET_TEST_DATA"
"""The environment variable that says where data are that are not here, for the tests too."""

SAME_ACCURACY: Final = 0.05
"""Test accuracies that count as the same. The sides draw other splits and weights, and a share of 0.97 of 180 rows
has a standard error of 0.013, the difference of two 0.018: this is nearly three of them.
"""

SIZES: Final = {"1M": 1 << 20, "16M": 1 << 24}
"""Elements that single components are measured on: in the last-level cache of many machines, and in none."""

ELEMENTWISE: Final[Mapping[str, tuple[str, dict[str, Any]]]] = {
    "ReLU": ("vector", {}),
    "LeakyReLU": ("vector", {}),
    "ELU": ("vector", {}),
    "GELU": ("vector", {}),
    "GELU-tanh": ("vector", {"approximate": "tanh"}),
    "SiLU": ("vector", {}),
    "Tanh": ("vector", {}),
    "Sigmoid": ("vector", {}),
    "Softplus": ("vector", {}),
    "Softmax": ("rows", {"dim": 1}),
    "LogSoftmax": ("rows", {"dim": 1}),
    "BatchNorm1d": ("features", {"num_features": 64}),
    "BatchNorm2d": ("images", {"num_features": 64}),
    "BatchNorm3d": ("volumes", {"num_features": 64}),
    "LayerNorm": ("rows", {"normalized_shape": CLASSES}),
    "RMSNorm": ("rows", {"normalized_shape": CLASSES}),
    "GroupNorm": ("images", {"num_groups": 8, "num_channels": 64}),
    "InstanceNorm1d": ("signals", {"num_features": 64}),
    "InstanceNorm2d": ("images", {"num_features": 64}),
    "InstanceNorm3d": ("volumes", {"num_features": 64}),
    "Dropout": ("vector", {"p": 0.5}),
    "Dropout1d": ("signals", {"p": 0.5}),
    "Dropout2d": ("images", {"p": 0.5}),
    "Dropout3d": ("volumes", {"p": 0.5}),
    "AlphaDropout": ("vector", {"p": 0.5}),
}
"""Components whose output has the shape of their one input: that shape, and their arguments. What stands behind the
first word of a name tells two rows of a component apart.
"""

LOSSES: Final[Mapping[str, tuple[str, tuple[Law, ...], dict[str, Any]]]] = {
    "MSELoss": ("vector", ("normal", "target"), {}),
    "L1Loss": ("vector", ("normal", "target"), {}),
    "SmoothL1Loss": ("vector", ("normal", "target"), {}),
    "HuberLoss": ("vector", ("normal", "target"), {}),
    "BCELoss": ("vector", ("probability", "bit"), {}),
    "BCEWithLogitsLoss": ("vector", ("normal", "bit"), {}),
    "MarginRankingLoss": ("vector", ("normal", "normal", "sign"), {}),
    "CrossEntropyLoss": ("rows", ("normal", "class"), {}),
    "NLLLoss": ("rows", ("log_probability", "class"), {}),
    "KLDivLoss": ("rows", ("log_probability", "distribution"), {"reduction": "batchmean"}),
    "TripletMarginLoss": ("rows", ("normal", "normal", "normal"), {}),
}
"""Losses: the shape of what they compare, what their inputs are, and their arguments."""

OPTIMIZERS: Final[Mapping[str, tuple[bool, dict[str, Any]]]] = {
    "SGD": (True, {"lr": 0.01}),
    "SGD-momentum": (True, {"lr": 0.01, "momentum": 0.9}),
    "Adam": (True, {}),
    "AdamW": (True, {}),
    "RMSprop": (False, {}),
    "Adagrad": (True, {}),
    "Adadelta": (False, {}),
    "Adamax": (False, {}),
    "NAdam": (False, {}),
    "RAdam": (False, {}),
    "LBFGS": (False, {"max_iter": 8, "history_size": 5}),
}
"""Optimizers: whether PyTorch has them fused, and their arguments."""


STEPS: Final[Sequence[tuple[float, str, dict[str, Any]]]] = (
    (4.0, "An MLP 64-64-10, Adam, batches of 32", {"network": "digits_mlp", "batch": 32}),
    (
        3.0,
        "An MLP 64-128-128-10 with BatchNorm1d and Dropout, AdamW, batches of 64",
        {"network": "regularized_mlp", "batch": 64, "compared": {"p": 0.0}},
    ),
    (1.5, "An MLP 784-1024-1024-10, AdamW, batches of 256", {"network": "wide_mlp", "batch": 256, "numba": True}),
    (
        1.2,
        "A CNN on 28x28: Conv 32, Conv 64, MaxPool, Dropout, Linear 128, 10; AdamW, batches of 64",
        {
            "network": "mnist_cnn",
            "batch": 64,
            "images": True,
            "numba": True,
            "compared": {"p": 0.0, "p_last": 0.0},
        },
    ),
    (
        1.0,
        "A residual CNN on 32x32: 64 channels, three blocks with BatchNorm2d, SGD with momentum, batches of 32",
        {"network": "residual_cnn", "batch": 32, "images": True},
    ),
    (
        1.2,
        "A character model: Embedding 64, three Conv1d 128 with LayerNorm and GELU, AdamW, 64 x 128 characters",
        {"network": "characters", "batch": 64},
    ),
    (
        1.5,
        "A recommender: two Embeddings 100,000 x 32, Bilinear, Adam, batches of 4,096",
        {"network": "recommender", "batch": 4096, "numba": True},
    ),
    (
        1.5,
        "A siamese network: one encoder 784-256-64 for three inputs, TripletMarginLoss, Adam, batches of 256",
        {"network": "siamese", "batch": 256},
    ),
    (
        1.0,
        "A Conv3d network 4-8-16 on 16x16x16 with GroupNorm, AdamW, batches of 16",
        {"network": "conv3d", "batch": 16},
    ),
)
"""Networks: the goal, what they are, and what `Steps` takes."""


def steps() -> Iterator[Workload]:
    """A training step of each network."""
    for goal, title, arguments in STEPS:
        name = arguments["network"].replace("_", "-")
        yield Steps(name=f"step-{name}", title=title, group="steps", goal=goal, **arguments)


def overhead() -> Iterator[Workload]:
    """What a step costs beside NumPy."""
    yield Overhead(
        name="overhead",
        title="Forward and backward of a hundred tiny nodes, against the same calls of NumPy alone",
        group="overhead",
        goal=1e-6,
        network="tiny_nodes",
        batch=4,
    )


def alone(counts: Mapping[str, int]) -> Iterator[Workload]:
    """Each activation, normalization, dropout and loss, on so many elements."""
    for size, count in counts.items():
        shapes = sizes(count)
        for name, (kind, arguments) in ELEMENTWISE.items():
            shape = shapes[kind]
            channels = "Dropout" in name and name[-1] == "d"
            masks = 0 if "p" not in arguments else shape[0] * shape[1] if channels else count
            yield _alone(name, size, arguments, [Drawn("normal", shape)], masks)
        for name, (kind, laws, arguments) in LOSSES.items():
            inputs = [Drawn(law, shapes[kind][:1] if law == "class" else shapes[kind]) for law in laws]
            yield _alone(name, size, arguments, inputs, 0)


def _alone(name: str, size: str, arguments: Mapping[str, Any], inputs: Sequence[Drawn], masks: int) -> Alone:
    component = name.partition("-")[0]
    written = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
    return Alone(
        name=f"alone-{name}-{size}",
        title=f"{component}({written}) forward and backward on {' and '.join(map(str, (i.shape for i in inputs)))}",
        group="alone",
        goal=1.0,
        component=component,
        arguments=arguments,
        inputs=inputs,
        masks=masks,
    )


def updates() -> Iterator[Workload]:
    """Each optimizer."""
    for name, (fused, arguments) in OPTIMIZERS.items():
        optimizer = name.partition("-")[0]
        written = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        yield Updates(
            name=f"optimizer-{name}",
            title=f"One step of {optimizer}({written}) on the 10 million parameters of an MLP",
            group="optimizers",
            goal=1.0,
            optimizer=optimizer,
            arguments=arguments,
            fused=fused,
            closure=optimizer == "LBFGS",
        )


def accuracy(stdout: str) -> Sequence[Figure]:
    """That of the test rows, from the summary that all sides print as JSON."""
    return [Figure("test accuracy", float(json.loads(stdout)["test"]["accuracy"]), SAME_ACCURACY)]


def processes() -> Iterator[Workload]:
    """Whole processes: imports count, as they do for whoever waits for them."""
    config, twin = str(ROOT / "configs" / "digits_mlp.yaml"), str(HERE / "digits_torch.py")
    yield Processes(
        name="process-digits",
        rounds=5,
        title="configs/digits_mlp.yaml: 30 epochs, from the start of the process to its end",
        group="processes",
        goal=3.0,
        commands={
            OURS: ("-m", "declnet", "train", config, "--json"),
            "PyTorch DataLoader": (twin, "--loader"),
            "PyTorch indexing": (twin,),
            "PyTorch indexing, fused": (twin, "--fused"),
        },
        read=accuracy,
    )
    yield Processes(
        name="process-startup",
        title="What one waits for before anything happens; the last two are Python and PyTorch alone",
        group="processes",
        threaded=False,
        commands={
            "declnet --help": ("-m", "declnet", "--help"),
            "declnet validate": ("-m", "declnet", "validate", config),
            "python -c pass": ("-c", "pass"),
            "import torch": ("-c", "import torch"),
        },
    )
    config, twin = str(ROOT / "configs" / "mnist_cnn.yaml"), str(HERE / "mnist_torch.py")
    yield Processes(
        name="process-mnist",
        rounds=3,
        title="configs/mnist_cnn.yaml: one epoch of 8,000 images, from the start of the process to its end",
        group="processes",
        goal=3.0,
        commands={
            OURS: ("-m", "declnet", "train", config, "vars.folder={folder}", "loop.epochs=1", "--json"),
            "PyTorch": (twin, "{folder}"),
            "PyTorch fused": (twin, "{folder}", "--fused"),
            "PyTorch channels_last": (twin, "{folder}", "--fused", "--channels-last"),
        },
        read=accuracy,
        needs=DATA_FOLDER,
    )


WORKLOADS: Final[Mapping[str, Workload]] = {
    workload.name: workload
    for workload in (*steps(), *updates(), *processes(), *overhead(), *alone(SIZES), *scaling.workloads())
}


def chosen(words: Sequence[str]) -> list[Workload]:
    """The workloads that a word names: by name, by group, by a pattern, or by how the name begins; without words
    all but those of the plots. KeyError with the word that names none.
    """
    found: dict[str, Workload] = {}
    for word in words:
        named = {name: workload for name, workload in WORKLOADS.items() if _meant(word, workload)}
        if not named:
            raise KeyError(word)
        found |= named
    return list(found.values()) if words else [w for w in WORKLOADS.values() if w.group != scaling.GROUP]


def quick(workloads: Sequence[Workload]) -> list[Workload]:
    """Those that tell in little time whether everything runs: components on the smaller size only."""
    large = tuple(f"-{size}" for size in list(SIZES)[1:])
    return [workload for workload in workloads if not workload.name.endswith(large)]


def _meant(word: str, workload: Workload) -> bool:
    name = workload.name
    return word in (name, workload.group) or fnmatchcase(name, word) or name.startswith(f"{word}-")
