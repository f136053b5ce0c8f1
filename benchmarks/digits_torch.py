"""configs/digits_mlp.yaml as a PyTorch user would write it: the same data, network, optimizer, epochs and files."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

DIGITS = Path(__file__).parent.parent / "declnet" / "data" / "sources" / "digits.npz"
EPOCHS, BATCH = 30, 32

Batches = Iterable[tuple[Tensor, Tensor]]


def read() -> tuple[Tensor, Tensor]:
    with np.load(DIGITS) as packed:
        return torch.from_numpy(packed["image"]).float() / 16, torch.from_numpy(packed["label"]).long()


def shuffled(x: Tensor, y: Tensor) -> Batches:
    """Simple index batching: what a DataLoader does, without its costs."""
    for rows in torch.randperm(len(x)).split(BATCH):
        yield x[rows], y[rows]


def batches(x: Tensor, y: Tensor, *, loader: bool) -> tuple[Callable[[], Batches], Callable[[], Batches]]:
    """Batches to train on, in a new order each time, and what an evaluation goes through."""
    if not loader:
        return (lambda: shuffled(x, y)), (lambda: [(x, y)])
    data = TensorDataset(x, y)
    return (lambda: DataLoader(data, BATCH, shuffle=True)), (lambda: DataLoader(data, BATCH))


def evaluate(model: nn.Module, criterion: nn.Module, data: Batches) -> dict[str, float]:
    model.eval()
    loss, right, rows = 0.0, 0, 0
    with torch.inference_mode():
        for x, y in data:
            output = model(x)
            loss += criterion(output, y).item() * len(x)
            right += int((output.argmax(1) == y).sum())
            rows += len(x)
    return {"loss": loss / rows, "accuracy": right / rows}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--loader", action="store_true")
    parser.add_argument("--fused", action="store_true")
    options = parser.parse_args()

    torch.manual_seed(0)
    x, y = read()
    order = torch.randperm(len(x))
    rows = dict(zip(("train", "val", "test"), order.split([1438, 179, 180]), strict=True))
    data = {name: batches(x[chosen], y[chosen], loader=options.loader) for name, chosen in rows.items()}

    model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Dropout(0.3), nn.Linear(256, 10))
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, fused=options.fused or None)
    best_loss, best = float("inf"), model.state_dict()

    for epoch in range(1, EPOCHS + 1):
        model.train()
        total = 0.0
        for batch, target in data["train"][0]():
            optimizer.zero_grad()
            loss = criterion(model(batch), target)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        found = evaluate(model, criterion, data["val"][1]())
        figures = {"train_loss": total / len(rows["train"])} | {f"val_{key}": value for key, value in found.items()}
        print(f"epoch {epoch}/{EPOCHS}", *(f"{key} {value:.4f}" for key, value in figures.items()), file=sys.stderr)
        if found["loss"] < best_loss:
            best_loss, best = found["loss"], {key: value.clone() for key, value in model.state_dict().items()}

    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": EPOCHS}, "last.pt")
    torch.save(best, "best.pt")
    model.load_state_dict(best)
    print(json.dumps({name: evaluate(model, criterion, data[name][1]()) for name in ("val", "test")}))


if __name__ == "__main__":
    main()
