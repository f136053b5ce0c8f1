"""configs/mnist_cnn.yaml as a PyTorch user would write it: the same data, network and rates, one epoch."""

from __future__ import annotations

import argparse
import gzip
import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

BATCH, TRAINED = 64, 8000


def read(folder: Path) -> tuple[Tensor, Tensor]:
    with gzip.open(folder / "mnist10k-images-idx3-ubyte.gz") as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)
    with gzip.open(folder / "mnist10k-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    return torch.from_numpy(pixels.astype(np.float32) / 255), torch.from_numpy(labels.astype(np.int64))


def evaluate(model: nn.Module, criterion: nn.Module, x: Tensor, y: Tensor) -> dict[str, float]:
    model.eval()
    loss, right = 0.0, 0
    with torch.inference_mode():
        for batch, target in zip(x.split(BATCH), y.split(BATCH), strict=True):
            output = model(batch)
            loss += criterion(output, target).item() * len(batch)
            right += int((output.argmax(1) == target).sum())
    return {"loss": loss / len(x), "accuracy": right / len(x)}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fused", action="store_true")
    parser.add_argument("--channels-last", action="store_true")
    options = parser.parse_args()

    torch.manual_seed(0)
    x, y = read(options.folder)
    model = nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(9216, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, 10),
    )
    if options.channels_last:
        x, model = x.to(memory_format=torch.channels_last), model.to(memory_format=torch.channels_last)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.AdamW(model.parameters(), fused=options.fused or None)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2e-3, total_steps=TRAINED // BATCH)

    model.train()
    for rows in torch.randperm(TRAINED).split(BATCH):
        optimizer.zero_grad()
        loss = criterion(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        scheduler.step()

    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 1}, "last.pt")
    print(json.dumps({"test": evaluate(model, criterion, x[TRAINED:], y[TRAINED:])}))


if __name__ == "__main__":
    main()
