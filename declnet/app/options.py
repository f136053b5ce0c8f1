"""What the commands' options and arguments may be."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Optional

import typer


class Format(StrEnum):
    """How mistakes and figures are printed."""

    text = "text"
    json = "json"
    github = "github"


class Picture(StrEnum):
    """How a network is shown."""

    text = "text"
    json = "json"
    mermaid = "mermaid"
    dot = "dot"


class Part(StrEnum):
    """Which rows are evaluated."""

    test = "test"
    val = "val"
    train = "train"
    all = "all"


class Which(StrEnum):
    """The parameters of which epoch."""

    best = "best"
    last = "last"


class Order(StrEnum):
    """In what order the nodes of a profile are listed."""

    cost = "cost"
    config = "config"


class Form(StrEnum):
    """How predictions are written."""

    csv = "csv"
    jsonl = "jsonl"
    npz = "npz"


class Template(StrEnum):
    """The starter configs in declnet/templates/."""

    mlp_classifier = "mlp-classifier"
    mlp_regressor = "mlp-regressor"
    cnn = "cnn"
    embedding_tabular = "embedding-tabular"
    char_lm = "char-lm"
    siamese = "siamese"


ConfigPath = Annotated[Path, typer.Argument(metavar="CONFIG", help="The YAML file.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Strict = Annotated[bool, typer.Option("--strict", help="Take warnings as errors.")]
Settings = Annotated[
    Optional[list[str]],  # noqa: UP045 - Typer reads the annotation
    typer.Argument(
        metavar="KEY=VALUE", help="Settings to change: optimizer.lr=0.01 loop.epochs=5", show_default=False
    ),
]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="The directory of a run.", show_default=False)]
Checkpoint = Annotated[
    Which, typer.Option(help="best, the epoch that loop.monitor chose; last, where training stopped.")
]
