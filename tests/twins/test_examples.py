"""The configs in configs/, each against the PyTorch module that one would write by hand: the same names, outputs,
gradients and buffers from the same weights. Dropout draws other numbers than PyTorch, so it is off here.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

pytest.importorskip("torch", reason="PyTorch is not installed: pip install --group torch")

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from examples import CONFIGS, FOLDER, pointed_at
from twins.compare import Batch, compare

pytestmark = pytest.mark.torch

TWINS: dict[str, tuple[Callable[[], nn.Module], tuple[str, ...]]] = {}


def twin(config: str, *overrides: str) -> Callable[[type[nn.Module]], type[nn.Module]]:
    """The module is the config's twin under these overrides."""

    def register(cls: type[nn.Module]) -> type[nn.Module]:
        TWINS[config] = (cls, overrides)
        return cls

    return register


@twin("digits_mlp", "model.2.p=0")
class Mlp(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Linear(64, 256), nn.ReLU(), nn.Dropout(0), nn.Linear(256, 10))

    def loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        output = self(batch["x"])
        return F.cross_entropy(output, batch["y"]), output


@twin("digits_cnn", "model.7.p=0")
class Cnn(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 16, 3, padding=1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Dropout2d(0),
            nn.Flatten(),
            nn.Linear(512, 10),
        )

    def loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        output = self(batch["x"])
        return F.cross_entropy(output, batch["y"]), output


class Block(nn.Sequential):
    def __init__(self) -> None:
        layers: list[tuple[str, nn.Module]] = [
            ("0", nn.GroupNorm(4, 16)),
            ("1", nn.SiLU()),
            ("2", nn.Conv2d(16, 16, 3, padding=1)),
            ("3", nn.GroupNorm(4, 16)),
            ("4", nn.SiLU()),
            ("change", nn.Conv2d(16, 16, 3, padding=1)),
        ]
        super().__init__(OrderedDict(layers))

    def forward(self, input: Tensor) -> Tensor:
        return input + super().forward(input)


@twin("digits_residual", "model.2.layers.5.init={}")  # weights of zero would hide the gradients behind them
class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.add_module("0", nn.Conv2d(1, 16, 3, padding=1))
        self.blocks = nn.Sequential(Block(), Block(), Block())
        self.add_module("3", nn.GroupNorm(4, 16))
        self.add_module("8", nn.Linear(32, 10))

    def loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        first, norm, scores = (self.get_submodule(name) for name in ("0", "3", "8"))
        value = F.silu(norm(self.blocks(F.max_pool2d(first(batch["x"]), 2))))
        pooled = torch.cat([F.adaptive_avg_pool2d(value, 1), F.max_pool2d(value, 4)], 1)
        output = scores(pooled.flatten(1))
        return F.cross_entropy(output, batch["y"], label_smoothing=0.1), output


@twin("digits_siamese", "model.0.layers.2.p=0")
class Siamese(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0), nn.Linear(128, 32))

    def loss(self, batch: Batch) -> tuple[Tensor, None]:
        a, p, n = (F.normalize(self.encoder(batch[name])) for name in ("anchor", "positive", "negative"))
        return F.triplet_margin_loss(a, p, n, margin=0.5), None


@twin("digits_autoencoder", "model.0.layers.0.p=0")
class Autoencoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Dropout(0), nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 12))
        self.decoder = nn.Sequential(nn.Linear(12, 64), nn.GELU(), nn.Linear(64, 64), nn.Sigmoid())
        self.digit = nn.Linear(12, 10)

    def loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        code = self.encoder(batch["x"])
        output = self.digit(code)
        drawn = F.mse_loss(self.decoder(code), batch["x"])
        return 10 * drawn + F.cross_entropy(output, batch["y"]), output


@twin("digits_towers", "model.0.modules.image.layers.2.p=0")
class Towers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        image = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0), nn.Linear(64, 16))
        self.towers = nn.ModuleDict({"image": image, "digit": nn.Embedding(10, 16)})
        self.match = nn.Bilinear(16, 16, 2)
        self.gains = nn.ParameterDict({"scale": torch.ones(())})

    def loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        image, digit = (tower(batch[name]) for name, tower in self.towers.items())
        output = self.match(image, digit) * self.gains["scale"]
        return F.cross_entropy(output, batch["same"]), output


@twin("curve_lbfgs")
class Curve(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        first, second = (nn.Sequential(nn.Linear(size, 16), nn.Tanh()) for size in (1, 16))
        self.hidden = nn.Sequential(first, second)
        self.add_module("1", nn.Linear(16, 1))

    def loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        output = self.get_submodule("1")(self.hidden(batch["x"]))
        return F.mse_loss(output, batch["y"]), output


@twin("distill_kldiv")
class Student(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.add_module("0", nn.BatchNorm1d(4, affine=False))
        self.add_module("1", nn.Linear(4, 16))
        self.logits = nn.Linear(16, 3)
        self.inverse = nn.ParameterDict({"temperature": torch.tensor(0.5)}).requires_grad_(False)

    def loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        scaled = self.get_submodule("0")(batch["x"])
        logits = self.logits(F.silu(self.get_submodule("1")(scaled)))
        softened = F.log_softmax(logits * self.inverse["temperature"], 1)
        output = F.log_softmax(logits, 1)
        divergence = F.kl_div(softened, batch["teacher"], reduction="batchmean")
        return 4 * divergence + 0.2 * F.nll_loss(output, batch["species"]), output


@twin("mnist_cnn", "model.5.p=0", "model.9.p=0")
class Mnist(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 32, 3),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Dropout(0),
            nn.Flatten(),
            nn.Linear(9216, 128),
            nn.ReLU(),
            nn.Dropout(0),
            nn.Linear(128, 10),
        )

    def loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        output = self(batch["x"])
        return F.cross_entropy(output, batch["y"]), output


class Causal(nn.Sequential):
    """Five convolutions: each sees its position, and two before it that are a dilation apart."""

    def __init__(self, dilation: int) -> None:
        self.dilation = dilation
        super().__init__(OrderedDict([("1", nn.Conv1d(128, 128, 3, dilation=dilation))]))

    def forward(self, input: Tensor) -> Tensor:
        return input + super().forward(F.pad(input, (2 * self.dilation, 0))).relu()


@twin("shakespeare")
class Characters(nn.Sequential):
    def __init__(self) -> None:
        blocks = [(str(2 + index), Causal(2**index)) for index in range(5)]
        layers: list[tuple[str, nn.Module]] = [("0", nn.Embedding(65, 128)), *blocks, ("7", nn.Conv1d(128, 65, 1))]
        super().__init__(OrderedDict(layers))

    def forward(self, input: Tensor) -> Tensor:
        first, *others = self
        value = first(input).transpose(1, 2)
        for layer in others:
            value = layer(value)
        return value

    def loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        output = self(batch["x"])
        return F.cross_entropy(output, batch["y"]), output


class Table(nn.Sequential):
    """What `declnet init --from` writes: the fields side by side, and two hidden layers."""

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        sizes = [(inputs, hidden), (hidden, hidden), (hidden, outputs)]
        # Before the layers is Concat, which has no weights.
        layers = [(str(2 * index + 1), nn.Linear(*size)) for index, size in enumerate(sizes)]
        super().__init__(OrderedDict(layers))

    def outputs(self, *fields: Tensor) -> Tensor:
        first, second, third = self
        output: Tensor = third(second(first(torch.cat(fields, 1)).relu()).relu())
        return output


@twin("penguins")
class Penguins(Table):
    def __init__(self) -> None:
        super().__init__(4 + 3 + 2, 32, 3)

    def loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        output = self.outputs(batch["numbers"], batch["island"], batch["sex"])
        return F.cross_entropy(output, batch["species"]), output


@twin("housing")
class Housing(Table):
    def __init__(self) -> None:
        super().__init__(4 + 4 + 5, 128, 1)

    def loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        output = self.outputs(batch["numbers"], batch["amounts"], batch["ocean_proximity"])
        return F.mse_loss(output, batch["median_house_value"]), output


def test_each_config_has_a_twin() -> None:
    assert set(TWINS) == {path.stem for path in CONFIGS}


@pytest.mark.parametrize("name", TWINS)
def test_a_config_computes_what_its_twin_computes(stand_ins: Path, name: str) -> None:
    module, overrides = TWINS[name]
    path, twin = FOLDER / f"{name}.yaml", cast("Any", module())
    compare(path, twin, twin.loss, [*overrides, *pointed_at(path, stand_ins)])
