"""The table of workloads: a new one is an entry here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.frame import OURS, ROOT, Answers, Workload
from benchmarks.processes import Processes
from benchmarks.steps import Batch, PyTorch, Steps

HERE: Final = Path(__file__).parent
CONFIG: Final = str(ROOT / "configs" / "digits_mlp.yaml")
DIGITS: Final = ROOT / "declnet" / "data" / "sources" / "digits.npz"

SAME_ACCURACY: Final = 0.05
"""Test accuracies that count as the same. The sides draw other splits, and a share of 0.97 of 180 rows has a
standard error of 0.013, the difference of two 0.018: this is nearly three of them."""


def digit_batches(size: int) -> Sequence[Batch]:
    """The digits in full batches, in the file's order."""
    with np.load(DIGITS) as packed:
        x, y = (packed["image"] / 16).astype(np.float32), packed["label"].astype(np.int64)
    return [(x[end - size : end], y[end - size : end]) for end in range(size, len(x) + 1, size)]


def mlp() -> PyTorch:
    """step_mlp.yaml."""
    from torch import nn, optim

    network = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))
    return PyTorch(network, nn.CrossEntropyLoss(), partial(optim.AdamW, lr=1e-3))


CHARACTERS: Final = 65
"""Different ones in the text of configs/shakespeare.yaml."""


def character_batches() -> Sequence[Batch]:
    """Windows of noise, each with the characters that follow."""
    texts = np.random.default_rng(0).integers(CHARACTERS, size=(4, 32, 129))
    return [(np.ascontiguousarray(text[:, :-1]), np.ascontiguousarray(text[:, 1:])) for text in texts]


def characters() -> PyTorch:
    """step_characters.yaml."""
    from torch import Tensor, nn, optim
    from torch.nn import functional

    class Causal(nn.Module):
        def __init__(self, dilation: int) -> None:
            super().__init__()
            self.conv = nn.Conv1d(128, 128, 3, dilation=dilation)
            self.before = 2 * dilation

        def forward(self, input: Tensor) -> Tensor:
            return input + functional.relu(self.conv(functional.pad(input, (self.before, 0))))

    class Channels(nn.Module):
        def forward(self, input: Tensor) -> Tensor:
            return input.transpose(1, 2)

    blocks = [Causal(2**number) for number in range(5)]
    network = nn.Sequential(nn.Embedding(CHARACTERS, 128), Channels(), *blocks, nn.Conv1d(128, CHARACTERS, 1))
    return PyTorch(network, nn.CrossEntropyLoss(), partial(optim.AdamW, lr=1e-3))


def test_accuracy(stdout: str) -> float:
    """From the summary that both sides print as JSON."""
    return float(json.loads(stdout)["test"]["accuracy"])


def other_accuracies(answers: Answers) -> list[str]:
    """Where PyTorch reaches another accuracy."""
    ours = answers[OURS]
    return [
        f"{OURS} reaches a test accuracy of {ours:.4f}, {side} {theirs:.4f}"
        for side, theirs in answers.items()
        if abs(theirs - ours) > SAME_ACCURACY
    ]


_ALL: Final[Sequence[Workload]] = (
    Steps(
        name="step",
        title="One training step of an MLP 64-128-128-10, ReLU, CrossEntropyLoss, AdamW, batches of 64",
        rounds=25,
        config=HERE / "step_mlp.yaml",
        pytorch=mlp,
        batches=partial(digit_batches, 64),
        steps=500,
    ),
    Steps(
        name="characters",
        title="One training step of configs/shakespeare.yaml: five causal Conv1d of 128 channels, batch 32 x 128",
        rounds=9,
        config=HERE / "step_characters.yaml",
        pytorch=characters,
        batches=character_batches,
        steps=10,
        warm_up=5,
    ),
    Processes(
        name="digits",
        title="The whole process: configs/digits_mlp.yaml, 30 epochs, imports and files included",
        rounds=7,
        commands={
            OURS: ("-m", "declnet", "train", CONFIG, "--json"),
            "PyTorch DataLoader": (str(HERE / "digits_torch.py"), "--loader"),
            "PyTorch indexing": (str(HERE / "digits_torch.py"),),
            "PyTorch indexing, fused": (str(HERE / "digits_torch.py"), "--fused"),
        },
        read=test_accuracy,
        check=other_accuracies,
    ),
    Processes(
        name="startup",
        title="Whole processes; the last two are what Python and PyTorch take before they do anything",
        threaded=False,
        commands={
            "declnet --help": ("-m", "declnet", "--help"),
            "declnet validate": ("-m", "declnet", "validate", CONFIG),
            "python -c pass": ("-c", "pass"),
            "import torch": ("-c", "import torch"),
        },
    ),
)

WORKLOADS: Final = {workload.name: workload for workload in _ALL}
