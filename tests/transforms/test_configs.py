"""Transforms in a config: mistakes found before a row is read, what is written out, and what `inspect` shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from declnet.config import yaml
from declnet.config.plain import plain
from declnet.errors import ConfigError
from declnet.runner.experiment import load

if TYPE_CHECKING:
    from conftest import Command

TEXT = """\
data:
  source: {type: CSV, path: t.csv}
  inputs:
    x: {columns: [a, b], transforms: %s}
  targets: [c]
model: [{type: Linear, out_features: 1}]
loss: MSELoss
optimizer: SGD
"""


@pytest.fixture
def header(folder: Path) -> None:
    """No row is read: there is none that could be."""
    Path("t.csv").write_text("a,b,c\n\x00", encoding="utf-8")


def mistakes(text: str) -> list[str]:
    Path("c.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load("c.yaml")
    return [item.headline.removeprefix("c.yaml:").replace(" error: ", " ") for item in caught.value.diagnostics]


MISTAKES = yaml.loads(Path(__file__).with_name("mistakes.yaml").read_text(encoding="utf-8"), "mistakes.yaml").data


@pytest.mark.parametrize(("transforms", "message"), MISTAKES.items(), ids=range(len(MISTAKES)))
def test_mistakes(header: None, transforms: str, message: str) -> None:
    assert mistakes(TEXT % transforms) == [message]


def test_shapes_are_known_without_a_row(header: None) -> None:
    Path("c.yaml").write_text(TEXT % "[{type: OneHot, categories: [u, v, '3']}]", encoding="utf-8")
    experiment = load("c.yaml")
    assert experiment.inputs["x"].spec.shape == (6,)
    assert [node.component.in_features for node in experiment.config.model] == [6]


TAKEN = "column 'name' holds texts: the transforms Category, OneHot and ClassLabels take them"


@pytest.mark.parametrize(
    ("transforms", "message"),
    [
        ("[]", TAKEN),
        ("[Standardize]", TAKEN),
        (
            "[{type: Impute, strategy: most_frequent}]",
            "the field ends in texts; the transforms Category, OneHot and ClassLabels make numbers of them",
        ),
    ],
)
def test_columns_of_texts(folder: Path, transforms: str, message: str) -> None:
    arrow = pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
    from pyarrow import parquet

    parquet.write_table(arrow.table({"name": ["u"], "c": [1.0]}), "t.parquet")
    text = TEXT.replace("CSV, path: t.csv", "Parquet, path: t.parquet").replace("[a, b]", "[name]")
    (found,) = mistakes(text % transforms)
    assert found.endswith(message)


def test_arrays_of_floats_are_no_categories(folder: Path) -> None:
    np.savez("t.npz", a=np.ones(3), c=np.ones(3))
    text = TEXT.replace("CSV, path: t.csv", "NPZ, path: t.npz").replace("[a, b]", "[a]")
    (found,) = mistakes(text % "[Category]")
    assert found.endswith("Category takes texts or integers, and before it are floating-point numbers")


def test_a_config_written_out_reads_as_the_same(header: None) -> None:
    transforms = "[{type: Impute, strategy: constant, value: 0}, Log1p, {type: MinMax, feature_range: [-1, 1]}]"
    Path("c.yaml").write_text(TEXT % transforms, encoding="utf-8")
    written = plain(load("c.yaml").config, Path())
    assert plain(load(written).config, Path()) == written
    assert written["data"]["inputs"]["x"]["transforms"] == [  # type: ignore[index, call-overload]
        {"type": "Impute", "strategy": "constant", "value": 0.0},
        {"type": "Log1p"},
        {"type": "MinMax", "feature_range": [-1.0, 1.0]},
    ]


def test_inspect_shows_what_a_field_is_made_of(command: Command) -> None:
    (command.cwd / "t.csv").write_text("a,b,c\n", encoding="utf-8")
    (command.cwd / "c.yaml").write_text(TEXT % "[{type: Impute, strategy: median}, Log1p]", encoding="utf-8")
    shown, described = command.each("inspect c.yaml", "inspect c.yaml --json")
    assert "x: (32, 2), of a and b: Impute(strategy: median), Log1p" in shown.stdout
    x, y = json.loads(described.stdout)["data"]
    assert x["columns"] == ["a", "b"]
    assert x["transforms"] == [{"type": "Impute", "strategy": "median"}, "Log1p"]
    assert (y["columns"], y["transforms"]) == (["c"], [])


def test_transforms_are_imported_where_they_are_used(command: Command) -> None:
    (command.cwd / "t.csv").write_text("a,b,c\n", encoding="utf-8")
    (command.cwd / "with.yaml").write_text(TEXT % "[Standardize]", encoding="utf-8")
    (command.cwd / "without.yaml").write_text(TEXT % "[]", encoding="utf-8")
    without, used = command.each("validate without.yaml", "validate with.yaml")
    assert (without.rc, used.rc) == (0, 0)
    assert not [name for name in without.modules if name.startswith("declnet.transforms.")]
    assert [name for name in used.modules if name.startswith("declnet.transforms.")] == [
        "declnet.transforms.numbers",
        "declnet.transforms.standardize",
    ]
