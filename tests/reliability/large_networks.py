"""Networks whose work is so large that threads share it, and data for them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from runner.runs import OPTIMIZERS

ROWS: Final = 64


def write_large(folder: Path) -> None:
    """Rows of eight channels, of indices, of classes of each place and of numbers."""
    rng = np.random.default_rng(0)
    np.savez(
        folder / "data.npz",
        x=rng.standard_normal((ROWS, 8, 32, 32), "f4"),
        i=rng.integers(5000, size=(ROWS, 64)),
        c=rng.integers(8, size=(ROWS, 32, 32)),
        p=rng.random((ROWS, 8, 32, 32), "f4"),
        y=rng.standard_normal((ROWS, 4), "f4"),
    )


def config(
    *nodes: str,
    inputs: str = "x",
    targets: str = "y",
    loss: str = "MSELoss",
    optimizer: str = "{type: SGD, lr: 1e-3, momentum: 0.9}",
    loop: str = "",
) -> str:
    """Two epochs of two steps."""
    return f"""\
name: large
data: {{source: {{type: NPZ, path: data.npz}}, inputs: {inputs}, targets: {targets}, split: {{val: 0, test: 0}}}}
model: [{", ".join(nodes)}]
loss: {loss}
optimizer: {optimizer}
loop: {{epochs: 2, batch_size: 32{loop}}}
"""


END: Final = ("Flatten", "{type: Linear, out_features: 4}")
CONV: Final = "{type: Conv2d, out_channels: 8, kernel_size: 3, padding: 1}"
WORDS: Final = ("{type: Embedding, num_embeddings: 5000, embedding_dim: 64}", "Flatten", END[1])

EXACT: Final = {
    "Conv2d": config(CONV, "ReLU", "{type: Conv2d, out_channels: 16, kernel_size: 3, stride: 2}", *END),
    "Conv1d": config("{type: Reshape, shape: [8, 1024]}", "{type: Conv1d, out_channels: 8, kernel_size: 3}", *END),
    "Conv3d": config(
        "{type: Reshape, shape: [8, 4, 16, 16]}", "{type: Conv3d, out_channels: 8, kernel_size: 2}", *END
    ),
    "activations": config(CONV, *["ReLU", "GELU", "SiLU", "Tanh", "Sigmoid", "ELU", "LeakyReLU", "Softplus"], *END),
    "softmax": config(CONV, "{type: Softmax, dim: 1}", CONV, "{type: LogSoftmax, dim: -1}", *END),
    "norms across the batch": config(
        CONV, "BatchNorm2d", CONV, "{type: Reshape, shape: [8, 1024]}", "BatchNorm1d", *END
    ),
    "norms of each sample": config(
        CONV,
        "{type: GroupNorm, num_groups: 2}",
        "InstanceNorm2d",
        "{type: LayerNorm, normalized_shape: [32, 32]}",
        "{type: RMSNorm, normalized_shape: [32]}",
        "{type: Normalize, dim: 1}",
        *END,
    ),
    "pools": config(
        CONV,
        "{type: MaxPool2d, kernel_size: 3, stride: 1}",
        "{type: AvgPool2d, kernel_size: 3, stride: 1}",
        "{type: AdaptiveAvgPool2d, output_size: 9}",
        *END,
    ),
    "dropouts": config("{type: Dropout, p: 0.2}", CONV, "Dropout2d", CONV, "AlphaDropout", *END),
    "operations": config(
        "{type: Add, name: a, inputs: [x, x]}",
        "{type: Mul, name: b, inputs: [a, x]}",
        "{type: Concat, dim: 1, inputs: [a, b]}",
        CONV,
        "{type: ZeroPad2d, padding: 2}",
        "{type: Permute, dims: [0, 2, 3, 1]}",
        "{type: Mean, dim: 2}",
        *END,
    ),
    "Bilinear": config(
        "{type: Reshape, name: r, shape: [128, 64]}", "{type: Bilinear, out_features: 8, inputs: [r, r]}", *END
    ),
    "a product for each row": config("{type: Reshape, shape: [128, 64]}", "{type: Linear, out_features: 8}", *END),
    **{
        loss: config(CONV, targets="p", loss=loss)
        for loss in ("MSELoss", "L1Loss", "HuberLoss", "SmoothL1Loss", "BCEWithLogitsLoss")
    },
    "CrossEntropyLoss": config(CONV, targets="c", loss="CrossEntropyLoss"),
    "BCELoss": config(CONV, "Sigmoid", targets="p", loss="BCELoss"),
    **{
        f"Embedding, {name}": config(*WORDS, inputs="i", optimizer=optimizer, loop=", clip_norm: 1, ema: 0.9")
        for name, optimizer in OPTIMIZERS.items()
    },
    "Embedding, accumulated": config(*WORDS, inputs="i", loop=", accumulate: 2, clip_value: 1e-3"),
}
"""The same bits on any number of threads: OpenBLAS shares no product of theirs."""

SHARED: Final = {
    "Linear": config("Flatten", "{type: Linear, out_features: 256}", "ReLU", *END),
    "MatMul": config(
        "{type: Reshape, name: a, shape: [32, 256]}",
        "{type: Linear, name: b, out_features: 256}",
        "{type: Permute, name: c, dims: [0, 2, 1], inputs: a}",
        "{type: MatMul, inputs: [c, b]}",
        *END,
    ),
}
"""With products that OpenBLAS shares among its threads."""
