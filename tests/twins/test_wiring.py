"""Every way to wire a graph, against the PyTorch module that one would write by hand: the same names, outputs,
gradients and buffers from the same weights.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="PyTorch is not installed: pip install --group torch")

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from declnet.core.registry import family, modules
from declnet.core.wrapper import Wrapper
from twins.compare import Batch, compare

pytestmark = pytest.mark.torch

TOP = """\
data:
  source: {type: CSV, path: t.csv}
  inputs: {x: [a, b, c], z: [d, e, f]}
  targets: {y: [g, h]}
optimizer: SGD
"""
CASES: dict[str, tuple[str, Callable[[], nn.Module]]] = {}


def case(text: str) -> Callable[[type[nn.Module]], type[nn.Module]]:
    """The module is the config's twin; its forward takes the batch and gives the loss."""

    def register(cls: type[nn.Module]) -> type[nn.Module]:
        CASES[cls.__name__] = (text, cls)
        return cls

    return register


@case("""
model:
  - {type: Linear, out_features: 4, inputs: x}
  - type: Sequential
    layers: [{type: Linear, out_features: 4}, Tanh, {type: Sequential, layers: [{type: Linear, out_features: 2}]}]
loss: MSELoss
""")
class Nested(nn.Sequential):
    def __init__(self) -> None:
        inner = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Sequential(nn.Linear(4, 2)))
        super().__init__(nn.Linear(3, 4), inner)

    def loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        output = self(batch["x"])
        return F.mse_loss(output, batch["y"]), output


@case("""
model:
  - type: Sequential
    name: encoder
    calls: {u: x, v: z}
    layers: [{type: Linear, out_features: 4}, {type: BatchNorm1d}, Tanh, {type: Linear, out_features: 2}]
  - {type: Sub, inputs: [u, v], name: difference}
  - {use: encoder.0, inputs: x, name: again}
  - {use: encoder, inputs: {input: x}, name: third}
loss:
  - {type: MSELoss, inputs: {input: difference}}
  - {type: MSELoss, inputs: {input: third}, scale: 0.5}
  - {type: MSELoss, inputs: [again, again], scale: 3}
""")
class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 2))

    def loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        u, v = self.encoder(batch["x"]), self.encoder(batch["z"])
        third = self.encoder(batch["x"])
        return F.mse_loss(u - v, batch["y"]) + 0.5 * F.mse_loss(third, batch["y"]), third


@case("""
model:
  - type: ModuleDict
    name: heads
    modules: {left: {type: Linear, out_features: 4}, right: {type: Linear, out_features: 4}}
  - type: ModuleList
    name: blocks
    modules: [{type: Linear, out_features: 4}, Tanh, {type: Linear, out_features: 2}]
  - {use: heads.left, inputs: x, name: l}
  - {use: heads.right, inputs: z, name: r}
  - {type: Mul, inputs: [l, r]}
  - {use: blocks.0}
  - {use: blocks.1}
  - {use: blocks.2}
loss: MSELoss
""")
class Held(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.heads = nn.ModuleDict({"left": nn.Linear(3, 4), "right": nn.Linear(3, 4)})
        self.blocks = nn.ModuleList([nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2)])

    def loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        value = self.heads["left"](batch["x"]) * self.heads["right"](batch["z"])
        for block in self.blocks:
            value = block(value)
        return F.mse_loss(value, batch["y"]), value


@case("""
model:
  - type: ModuleDict
    name: towers
    forward: zip
    inputs: {b: z, a: x}
    modules:
      a: {type: Linear, out_features: 2}
      b: {type: Sequential, layers: [{type: Linear, out_features: 3}, Tanh]}
  - {type: Bilinear, out_features: 3, name: meet}
  - type: ModuleList
    name: both
    forward: map
    modules: [{type: Linear, out_features: 2}, {type: Linear, out_features: 3}]
  - {type: Concat, dim: 1}
  - {type: ModuleList, name: row, forward: chain, modules: [Tanh, {type: Linear, out_features: 2}]}
  - {type: Add, inputs: [row, towers.a, row.1]}
loss: MSELoss
""")
class Forwards(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.towers = nn.ModuleDict({"a": nn.Linear(3, 2), "b": nn.Sequential(nn.Linear(3, 3), nn.Tanh())})
        self.meet = nn.Bilinear(2, 3, 3)
        self.both = nn.ModuleList([nn.Linear(3, 2), nn.Linear(3, 3)])
        self.row = nn.ModuleList([nn.Tanh(), nn.Linear(5, 2)])

    def loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        a, b = self.towers["a"](batch["x"]), self.towers["b"](batch["z"])
        met = self.meet(a, b)
        value = torch.cat([head(met) for head in self.both], 1)
        for block in self.row:
            value = block(value)
        output = value + a + value
        return F.mse_loss(output, batch["y"]), output


@case("""
model:
  - type: ParameterDict
    name: gains
    parameters: {scale: {shape: [3], init: ones_}, shift: {shape: [2, 1], init: zeros_}}
  - {type: ParameterList, name: extra, values: [{shape: [], init: {type: constant_, val: 0.5}}]}
  - {type: Mul, inputs: [x, gains.scale, extra.0]}
  - {type: Linear, out_features: 2, repeat: 2, name: deep}
  - {type: Linear, out_features: 2, freeze: true, init: {weight: {type: eye_}, bias: zeros_}}
  - {type: MatMul, inputs: [deep, gains.shift], name: product}
  - {type: Add, inputs: ["4", product, extra.0]}
loss: MSELoss
""")
class Parameters(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gains = nn.ParameterDict({"scale": torch.ones(3), "shift": torch.zeros(2, 1)})
        self.extra = nn.ParameterList([torch.tensor(0.5)])
        self.deep = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
        self.add_module("4", nn.Linear(2, 2).requires_grad_(False))

    def loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        deep = self.deep(batch["x"] * self.gains["scale"] * self.extra[0])
        output = self.get_submodule("4")(deep) + deep @ self.gains["shift"] + self.extra[0]
        return F.mse_loss(output, batch["y"]), output


@pytest.mark.parametrize("name", CASES)
def test_a_twin(folder: Path, name: str) -> None:
    text, module = CASES[name]
    rows = torch.randn(40, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    lines = [",".join(map(repr, row)) for row in rows.tolist()]
    Path("t.csv").write_text("\n".join(["a,b,c,d,e,f,g,h", *lines]) + "\n", encoding="utf-8")
    Path("config.yaml").write_text(TOP + text, encoding="utf-8")
    twin: Any = module()
    compare(Path("config.yaml"), twin, twin.loss)


def test_every_wrapper_has_a_twin() -> None:
    wrappers = {
        name for name, cls in modules.load().items() if issubclass(cls, Wrapper) and family(cls) != "plug-in"
    }
    assert wrappers == {name for name in wrappers for text, _ in CASES.values() if f"type: {name}" in text}
