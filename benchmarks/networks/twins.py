"""The configs of this folder in PyTorch. Parameters come in the same order; `settings` are the configs' vars."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from torch import Tensor, nn, optim


class Twin(NamedTuple):
    """A network, its loss of `(*outputs, *targets)`, and its optimizer."""

    network: nn.Module
    loss: nn.Module
    optimizer: Callable[..., optim.Optimizer]


def digits_mlp(width: int = 64) -> Twin:
    """digits_mlp.yaml."""
    network = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))
    return Twin(network, nn.CrossEntropyLoss(), optim.Adam)


def regularized_mlp(p: float = 0.2) -> Twin:
    """regularized_mlp.yaml."""

    def block(inputs: int) -> list[nn.Module]:
        return [nn.Linear(inputs, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Dropout(p)]

    network = nn.Sequential(*block(64), *block(128), nn.Linear(128, 10))
    return Twin(network, nn.CrossEntropyLoss(), optim.AdamW)


def wide_mlp(width: int = 1024, depth: int = 1) -> Twin:
    """wide_mlp.yaml."""
    hidden = [layer for _ in range(depth) for layer in (nn.Linear(width, width), nn.ReLU())]
    network = nn.Sequential(nn.Linear(784, width), nn.ReLU(), *hidden, nn.Linear(width, 10))
    return Twin(network, nn.CrossEntropyLoss(), optim.AdamW)


def mnist_cnn(p: float = 0.25, p_last: float = 0.5) -> Twin:
    """mnist_cnn.yaml."""
    network = nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(p),
        nn.Flatten(),
        nn.Linear(9216, 128),
        nn.ReLU(),
        nn.Dropout(p_last),
        nn.Linear(128, 10),
    )
    return Twin(network, nn.CrossEntropyLoss(), optim.AdamW)


class Residual(nn.Module):
    """A block of residual_cnn.yaml."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, input: Tensor) -> Tensor:
        output = self.relu(self.bn1(self.conv1(input)))
        output = self.bn2(self.conv2(output))
        output += input
        return self.relu(output)


def residual_cnn(width: int = 64, depth: int = 3) -> Twin:
    """residual_cnn.yaml, written as torchvision writes its residual networks."""
    network = nn.Sequential(
        nn.Conv2d(3, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        *(Residual(width) for _ in range(depth)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(width, 10),
    )
    return Twin(network, nn.CrossEntropyLoss(), partial(optim.SGD, lr=0.01, momentum=0.9))


class Convolved(nn.Module):
    """A block of characters.yaml: channels last outside."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, 128, 3, padding=1)
        self.norm = nn.LayerNorm(128)
        self.act = nn.GELU()

    def forward(self, input: Tensor) -> Tensor:
        return self.act(self.norm(self.conv(input.transpose(1, 2)).transpose(1, 2)))


class Characters(nn.Module):
    """characters.yaml."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(65, 64)
        self.blocks = nn.Sequential(Convolved(64), Convolved(128), Convolved(128))
        self.head = nn.Linear(128, 65)

    def forward(self, input: Tensor) -> Tensor:
        return self.head(self.blocks(self.embedding(input))).transpose(1, 2)


def characters() -> Twin:
    """characters.yaml."""
    return Twin(Characters(), nn.CrossEntropyLoss(), optim.AdamW)


class Recommender(nn.Module):
    """recommender.yaml."""

    def __init__(self) -> None:
        super().__init__()
        self.users = nn.Embedding(100_000, 32)
        self.items = nn.Embedding(100_000, 32)
        self.match = nn.Bilinear(32, 32, 1)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        return self.match(self.users(user), self.items(item))


def recommender() -> Twin:
    """recommender.yaml."""
    return Twin(Recommender(), nn.BCEWithLogitsLoss(), optim.Adam)


class Siamese(nn.Module):
    """siamese.yaml."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 64))

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.encoder(anchor), self.encoder(positive), self.encoder(negative)


def siamese() -> Twin:
    """siamese.yaml."""
    return Twin(Siamese(), nn.TripletMarginLoss(), optim.Adam)


class Mean(nn.Module):
    """The mean over the places of a volume."""

    def forward(self, input: Tensor) -> Tensor:
        return input.mean((2, 3, 4))


def conv3d() -> Twin:
    """conv3d.yaml."""

    def block(inputs: int, outputs: int) -> list[nn.Module]:
        return [nn.Conv3d(inputs, outputs, 3, padding=1), nn.GroupNorm(4, outputs), nn.ReLU()]

    network = nn.Sequential(*block(4, 8), *block(8, 16), Mean(), nn.Linear(16, 10))
    return Twin(network, nn.CrossEntropyLoss(), optim.AdamW)


TWINS = {
    twin.__name__: twin
    for twin in (
        digits_mlp,
        regularized_mlp,
        wide_mlp,
        mnist_cnn,
        residual_cnn,
        characters,
        recommender,
        siamese,
        conv3d,
    )
}
"""By the name of the config."""
