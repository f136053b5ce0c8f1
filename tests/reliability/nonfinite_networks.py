"""Networks in which a node called `culprit` goes wrong, at a known step, with any component before and behind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import numpy as np

CULPRIT: Final = "culprit"

NARROW: Final = {
    name: [f"{{type: {name}{arguments}}}"]
    for name, arguments in {
        "AlphaDropout": ", p: 0.1",
        "BatchNorm1d": "",
        "Dropout": ", p: 0.1",
        "ELU": "",
        "GELU": "",
        "Identity": "",
        "LayerNorm": ", normalized_shape: [4]",
        "LeakyReLU": "",
        "Linear": ", out_features: 4",
        "LogSoftmax": ", dim: 1",
        "Normalize": "",
        "RMSNorm": ", normalized_shape: [4]",
        "ReLU": "",
        "SiLU": "",
        "Sigmoid": "",
        "Softmax": ", dim: 1",
        "Softplus": "",
        "Tanh": "",
        "Bilinear": ", out_features: 4, inputs: [input, input]",
        "Add": ", inputs: [input, input]",
        "Sub": ", inputs: [input, input]",
        "Mul": ", inputs: [input, input]",
        "Concat": ", dim: 1, inputs: [input, input]",
    }.items()
}
"""Components that take (N, 4) as it is; `Concat` gives (N, 8)."""

SPATIAL: Final = {
    name: [f"{{type: Reshape, shape: {shape}}}", f"{{type: {name}{arguments}}}", "Flatten"]
    for name, shape, arguments in (
        ("AdaptiveAvgPool1d", [2, 8], ", output_size: 3"),
        ("AdaptiveAvgPool2d", [1, 4, 4], ", output_size: 3"),
        ("AvgPool1d", [2, 8], ", kernel_size: 2"),
        ("AvgPool2d", [1, 4, 4], ", kernel_size: 2"),
        ("BatchNorm2d", [2, 2, 4], ""),
        ("BatchNorm3d", [2, 2, 2, 2], ""),
        ("Conv1d", [2, 8], ", out_channels: 2, kernel_size: 3, padding: 1"),
        ("Conv2d", [1, 4, 4], ", out_channels: 2, kernel_size: 2"),
        ("Conv3d", [2, 2, 2, 2], ", out_channels: 3, kernel_size: 2"),
        ("Dropout1d", [4, 4], ", p: 0.1"),
        ("Dropout2d", [4, 2, 2], ", p: 0.1"),
        ("Dropout3d", [2, 2, 2, 2], ", p: 0.1"),
        ("Flatten", [2, 2, 4], ", start_dim: 2"),
        ("GroupNorm", [4, 4], ", num_groups: 2"),
        ("InstanceNorm1d", [2, 8], ", affine: true"),
        ("InstanceNorm2d", [2, 2, 4], ""),
        ("InstanceNorm3d", [2, 2, 2, 2], ", track_running_stats: true"),
        ("MaxPool1d", [2, 8], ", kernel_size: 2"),
        ("MaxPool2d", [1, 4, 4], ", kernel_size: 2"),
        ("Mean", [4, 4], ", dim: 2"),
        ("Permute", [2, 8], ", dims: [0, 2, 1]"),
        ("Reshape", [2, 8], ", shape: [4, 4]"),
        ("ZeroPad1d", [2, 8], ", padding: 1"),
        ("ZeroPad2d", [1, 4, 4], ", padding: 1"),
    )
}
"""Components that take more dimensions, which 16 numbers are cut into."""

NESTED: Final = {
    "MatMul": [
        "{type: Reshape, name: a, shape: [2, 8]}",
        "{type: Permute, name: b, dims: [0, 2, 1]}",
        "{type: MatMul, inputs: [a, b]}",
        "Flatten",
    ],
    "ModuleDict": ["{type: ModuleDict, forward: chain, modules: {a: Tanh, b: {type: Linear, out_features: 4}}}"],
    "ModuleList": ["{type: ModuleList, forward: chain, modules: [Tanh, {type: Linear, out_features: 4}]}"],
    "ParameterDict": [
        "{type: ParameterDict, name: held, parameters: {gain: {shape: [16], init: ones_}}}",
        "{type: Mul, inputs: [wide, held.gain]}",
    ],
    "ParameterList": [
        "{type: ParameterList, name: held, values: [{shape: [16], init: zeros_}]}",
        "{type: Add, inputs: [wide, held.0]}",
    ],
    "Sequential": ["{type: Sequential, layers: [{type: Linear, out_features: 4}, ReLU]}"],
    "Unflatten": ["{type: Unflatten, dim: 1, unflattened_size: [2, 8]}", "Flatten"],
}
"""Components that need others."""

PASSAGES: Final = (
    NARROW | SPATIAL | NESTED | {"Embedding": ["{type: Embedding, num_embeddings: 5, embedding_dim: 4}"]}
)
"""How numbers pass through each component, from 4 of a row, or 16, to any number."""

LOSSES: Final = {
    "BCELoss": ("Sigmoid", "", "p"),
    "BCEWithLogitsLoss": ("Identity", "", "p"),
    "CrossEntropyLoss": ("Identity", "", "c"),
    "HuberLoss": ("Identity", "", "y"),
    "KLDivLoss": ("{type: LogSoftmax, dim: 1}", ", reduction: batchmean", "p"),
    "L1Loss": ("Identity", "", "y"),
    "MSELoss": ("Identity", "", "y"),
    "MarginRankingLoss": ("{type: Identity, name: end}", ", inputs: {input1: end, input2: z}", "s"),
    "NLLLoss": ("{type: LogSoftmax, dim: 1}", "", "c"),
    "SmoothL1Loss": ("Identity", "", "y"),
    "TripletMarginLoss": ("{type: Identity, name: end}", ", inputs: {anchor: end, positive: z, negative: y}", "y"),
}
"""What is between the last layer and each loss, its arguments, and the target."""

ASTRAY: Final = ("BCEWithLogitsLoss", "HuberLoss", "KLDivLoss", "L1Loss", "MSELoss", "SmoothL1Loss")
"""Losses that finite targets can make infinite."""

BAD: Final = 3e38
"""Two of these added up are infinite in single precision."""

Kind = Literal["output", "targets", "gradient", "parameters", "parameters later"]
KINDS: Final[Mapping[Kind, tuple[float, float, float]]] = {
    "output": (1, 1e-7, 1e-7),
    "targets": (0.1, 1e-7, 1e-7),
    "gradient": (0, 1e-7, 0),
    "parameters": (0.1, 0.01, 1e300),
    "parameters later": (0.1, 1e-300, 1e-5),
}
"""What goes wrong of the culprit, by the value of its weights, the learning rate, and its own one. Its input is
`BAD` in the second step, so its output is infinite, or, where its weights are and stay 0, their gradient; or the
targets are. Else all rows are good, and its rate is too much in the first step or, with `LATER`, the second epoch.
"""
LATER: Final = "{type: MultiStepLR, milestones: [1], gamma: 1e+250}"


def write_data(folder: Path, kind: Kind) -> None:
    """Twelve rows, three batches of four, the second one with what is wrong."""
    rng = np.random.default_rng(0)
    rows = np.arange(12)
    arrays = {
        "x": np.ones((12, 4), "f4"),
        "z": rng.standard_normal((12, 4), "f4"),
        "i": rows % 5,
        "y": rng.standard_normal((12, 4), "f4"),
        "c": rows % 4,
        "p": np.full((12, 4), 0.25, "f4"),
        "s": np.where(np.arange(48).reshape(12, 4) % 2, 1, -1).astype("f4"),
    }
    wrong = {"output": ["x"], "targets": ["y", "p"], "gradient": ["x"]}
    for name in wrong.get(kind, []):
        arrays[name][4:8] = BAD
    np.savez(folder / "data.npz", **arrays)


def nodes_through(name: str, called: str, inputs: str) -> str:
    """A node that leads through a component, from 4 numbers of a row to 4."""
    wide = ["{type: Linear, name: wide, out_features: 16}"] if name in SPATIAL or name in NESTED else []
    layers = ", ".join([*wide, *PASSAGES[name], "{type: Linear, out_features: 4}"])
    return f"{{type: Sequential, name: {called}, inputs: {inputs}, layers: [{layers}]}}"


def network(
    kind: Kind,
    before: str = "Identity",
    behind: str = "Identity",
    *,
    loss: str = "MSELoss",
    optimizer: str = "SGD",
    loop: str = "batch_size: 4",
    more: str = "",
) -> str:
    """A config. What is behind the culprit may squeeze everything into a finite range, or let no gradient through:
    so its output also goes by.
    """
    weight, rate, own = KINDS[kind]
    between, arguments, target = LOSSES[loss]
    into = "i" if before == "Embedding" else "z"
    init = f"{{weight: {{type: constant_, val: {weight}}}, bias: zeros_}}"
    nodes = [
        nodes_through(before, "before", into),
        f"{{type: Linear, name: {CULPRIT}, out_features: 4, inputs: x, init: {init}}}",
        f"{{type: Add, name: met, inputs: [before, {CULPRIT}]}}",
        nodes_through(behind, "behind", "met"),
        f"{{type: Add, inputs: [behind, {CULPRIT}]}}",
        "{type: Linear, out_features: 4}",
        between,
    ]
    settings = f"lr: {rate}, groups: [{{match: '{CULPRIT}.*', lr: {own}}}]"
    if optimizer == "LBFGS":  # it takes no groups, so the culprit is all that is trained
        settings = f"lr: {own}"
        nodes = [
            n.replace("{", "{freeze: true, ", 1) if "Linear, out" in n and CULPRIT not in n else n for n in nodes
        ]
    lines = [
        "name: net",
        f"data: {{source: {{type: NPZ, path: data.npz}}, inputs: {{x: x, {into}: {into}}}, targets: {target}, "
        "split: {val: 0, test: 0}}",
        "model:",
        *[f"  - {node}" for node in nodes],
        f"loss: [{{type: {loss}, scale: 1e3{arguments}}}]",
        f"optimizer: {{type: {optimizer}, {settings}}}",
        *([f"scheduler: {LATER}"] if kind == "parameters later" else []),
        f"loop: {{epochs: 3, shuffle: false, checkpoint_every: 1, {loop}}}",
        *([more] if more else []),
    ]
    return "\n".join(lines) + "\n"
