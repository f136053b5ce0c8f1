"""The two sides of a pair: its lines of PyTorch run, and its config lines completed to a whole config."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from declnet.config.yaml import loads
from declnet.core.spec import Array
from guide.page import Pair, tensors
from twins.compare import ROWS, Batch

IMPORTED = {"torch": torch, "nn": nn, "F": F}
"""What every piece of PyTorch on the page finds imported."""

Names = dict[str, Any]


class Twin:
    """The PyTorch side. What comes before the last line that makes `model` builds it, what follows uses it; where
    no line does, the last class is the model.
    """

    def __init__(self, pair: Pair, **given: object) -> None:
        """Build; `given` are names that the lines take for granted."""
        body = ast.parse(pair.python).body
        makes = [
            i for i, s in enumerate(body, 1) if isinstance(s, ast.Assign) and ast.unparse(s.targets) == "model"
        ]
        last = [i for i, s in enumerate(body, 1) if isinstance(s, ast.ClassDef)]
        cut = max(makes or last, default=0)
        self.names: Names = IMPORTED | given
        self._use = compile(ast.Module(body[cut:], []), str(pair), "exec")
        exec(compile(ast.Module(body[:cut], []), str(pair), "exec"), self.names)  # noqa: S102 - the page's own lines
        if not cut:
            self.names["model"] = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
        elif not makes:
            name = next(s.name for s in reversed(body) if isinstance(s, ast.ClassDef))
            self.names["model"] = self.names[name]()

    @property
    def model(self) -> nn.Module:
        """The module."""
        model = self.names["model"]
        assert isinstance(model, nn.Module)
        return model

    def use(self, **given: object) -> Names:
        """Run the lines that use the model; all names there are then."""
        names = self.names | given
        exec(self._use, names)  # noqa: S102 - the page's own lines
        return names

    def call(self, batch: Mapping[str, Any]) -> Tensor:
        """The model's output on the fields that its forward names, or on x."""
        wanted = [name for name in inspect.signature(self.model.forward).parameters if name in batch]
        output = self.model(*(batch[name] for name in wanted or ["x"]))
        assert isinstance(output, Tensor)
        return output

    def loss(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """The loss that the lines make: itself, or a module for the output and y; left out, the squared error."""
        names = self.use(**batch)
        loss = names.get("loss", F.mse_loss)
        if isinstance(loss, Tensor):
            return loss, names.get("output")
        output = names["output"] if "output" in names else self.call(batch)
        return loss(output, batch["y"]), output


def draw(pair: Pair, twin: Twin) -> tuple[dict[str, Array], dict[str, Array]]:
    """Inputs and targets; a target that the mark does not give is of the output's shape."""
    rng = np.random.default_rng(0)
    given, _, wanted = pair.given.partition("; targets ")
    inputs, targets = ({name: d(rng) for name, d in tensors(part, ROWS).items()} for part in (given, wanted))
    if not targets:
        batch = {name: torch.from_numpy(array) for name, array in inputs.items()}
        twin.model.double()
        targets["y"] = rng.normal(size=tuple(twin.call(batch).shape))
    return inputs, targets


def write(pair: Pair, inputs: Mapping[str, Array], targets: Mapping[str, Array]) -> Path:
    """Write the fields as a table and the config on it, with what the pair leaves out; the config's path."""
    columns: dict[str, Array] = {}
    fields: dict[str, dict[str, object]] = {"inputs": {}, "targets": {}}
    for section, arrays in (("inputs", inputs), ("targets", targets)):
        for name, array in arrays.items():
            own = {f"{name}{i}": array[:, i] for i in range(array.shape[1])} if array.ndim > 1 else {name: array}
            columns |= own
            dtype = "int64" if array.dtype.kind == "i" else "float"
            fields[section][name] = {"columns": list(own) if array.ndim > 1 else name, "dtype": dtype}
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    lines = [",".join(columns), *(",".join(map(repr, row)) for row in rows)]
    Path("rows.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    split = {"train": 1.0, "val": 0.0, "test": 0.0}
    data = {"source": {"type": "CSV", "path": "rows.csv"}, "split": split, **fields}
    path = Path("config.yaml")
    path.write_text(complete(pair, "MSELoss", 2, data), encoding="utf-8")
    return path


def complete(pair: Pair, loss: str, width: int, data: Mapping[str, object] | None = None) -> str:
    """The pair's config lines, and what they leave out: a model of so many outputs (the one that `Twin` makes,
    where they are two), this loss, an optimizer, data.
    """
    layers = f"[{{type: Linear, out_features: 4}}, Tanh, {{type: Linear, out_features: {width}}}]"
    parts = {"model": layers, "loss": loss, "optimizer": "SGD", "data": json.dumps(data)}
    there = loads(pair.yaml, str(pair)).data.keys()
    return pair.yaml + "".join(f"{key}: {text}\n" for key, text in parts.items() if key not in there)
