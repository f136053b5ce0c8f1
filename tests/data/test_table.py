"""Fields: columns by pattern, numbers that do not fit, and what is left as it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest

from declnet.core.source import Column, Source
from declnet.core.spec import DType, Kind
from declnet.data import table
from declnet.errors import ConfigError, RowError
from declnet.runner.experiment import load

if TYPE_CHECKING:
    from conftest import Command

KNOWN = dict.fromkeys(("bill_length", "bill_depth", "flipper", "bill[mm]", "a*b", "species"), Column())


@pytest.mark.parametrize(
    ("columns", "names", "stacked"),
    [
        (["bill_*"], ("bill_length", "bill_depth"), True),
        ("bill_*", ("bill_length", "bill_depth"), True),
        ("f*", ("flipper",), True),
        ("flipper", ("flipper",), False),
        ("a*b", ("a*b",), False),
        (["species", "bill_?e*"], ("species", "bill_length", "bill_depth"), True),
        (["bill_depth", "b*", "*"], ("bill_depth", "bill_length", "bill[mm]", "flipper", "a*b"), True),
        (["*h", "bill_length"], ("bill_depth", "bill_length"), True),
        (["bill[*"], ("bill[mm]",), True),
    ],
)
def test_patterns(columns: str | list[str], names: tuple[str, ...], stacked: bool) -> None:
    found = table.field(KNOWN, columns, None, spared=["species"])
    assert (found.columns, found.stacked) == (names, stacked)
    assert found.spec.shape == ((len(names),) if stacked else ())


CONFIG = """\
data:
  source: {type: CSV, path: p.csv}
  inputs: %s
  targets: [species]
model: [{type: Linear, out_features: 1}]
loss: MSELoss
optimizer: SGD
"""
CSV = "bill_length,bill_depth,flipper,species\n" + "1,2,3,0\n" * 5


@pytest.mark.parametrize(
    ("columns", "message", "column"),
    [
        ("[flipper, bil_*]", "no column of the source matches 'bil_*'; there is {all}", 21),
        ("bill_depht*", "no column of the source matches 'bill_depht*'; did you mean 'bill_depth'?", 11),
        (
            "[flipper*, 'bill_depth?']",
            "no column of the source matches 'bill_depth?'; did you mean 'bill_depth'?",
            22,
        ),
        ("spec*", "no column of the source matches 'spec*' but targets; there is {all}", 11),
    ],
)
def test_a_pattern_that_matches_nothing(folder: Path, columns: str, message: str, column: int) -> None:
    Path("p.csv").write_text(CSV, encoding="utf-8")
    Path("c.yaml").write_text(CONFIG % columns, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load("c.yaml")
    (problem,) = caught.value.diagnostics
    assert problem.message == message.format(all="bill_length, bill_depth, flipper and species")
    assert problem.mark is not None
    assert (problem.mark.line, problem.mark.column) == (3, column)


def test_all_but_the_target(command: Command) -> None:
    (command.cwd / "p.csv").write_text(CSV, encoding="utf-8")
    (command.cwd / "c.yaml").write_text(CONFIG % '"*"', encoding="utf-8")
    trained = command(
        "train", "c.yaml", "--run-dir", "r", "loop.epochs=1", "data.split={train: 0.6, val: 0.2, test: 0.2}"
    )
    assert trained.rc == 0, trained.stderr
    with np.load(command.cwd / "r/checkpoints/last.npz", allow_pickle=False) as saved:
        assert saved["model/0.weight"].shape == (1, 3)


class Made(Source):
    """A source of arrays that are there."""

    type: Literal["Made"] = "Made"
    arrays: dict[str, Any]

    def columns(self) -> dict[str, Column]:
        return {name: Column(array.shape[1:]) for name, array in self.arrays.items()}

    def read(self, columns: Sequence[str]) -> dict[str, np.ndarray[Any, Any]]:
        return {name: self.arrays[name] for name in columns}


def read(array: np.ndarray[Any, Any], kind: Kind = "float", dtype: DType = "float32") -> np.ndarray[Any, Any]:
    source = Made(arrays={"c": array})
    return table.read(source, {"x": table.field(source.columns(), "c", kind)}, dtype)["x"]


@pytest.mark.parametrize(
    "case",
    [
        (
            np.nan,
            "f2",
            "float",
            "column 'c': nan is not a finite number, but a missing value; the transform Impute fills it in",
        ),
        (-np.inf, "f8", "float", "column 'c': -inf is not a finite number"),
        (1e39, "f8", "float", "column 'c': 1e+39 is too large for float32; dtype: float64 can hold it"),
        (0.5, "f4", "int", "column 'c' is to hold integers (dtype: int64), but this is 0.5"),
        (np.nan, "f2", "int", "column 'c' is to hold integers (dtype: int64), but this is nan"),
        (2.0**63, "f4", "int", "column 'c' is to hold integers (dtype: int64), but this is 9.22337e+18"),
        (2**63, "u8", "int", "column 'c' is to hold integers (dtype: int64), but this is 9.22337e+18"),
    ],
)
@pytest.mark.parametrize("shape", [(7,), (7, 2, 3)])
def test_numbers_that_do_not_fit(
    case: tuple[float, str, Kind, str], shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    value, written, kind, message = case
    array = np.ones(shape, written)
    assert (read(array, kind) == 1).all()
    array[5] = value
    for block in (1, table.BLOCK):  # a row at a time, and all at once
        monkeypatch.setattr(table, "BLOCK", block)
        with pytest.raises(RowError) as caught:
            read(array, kind)
        assert (caught.value.message, caught.value.row) == (message, 5)


@pytest.mark.parametrize(
    ("array", "kind", "dtype", "left"),
    [
        (np.zeros((3, 2), np.float32), "float", "float32", True),
        (np.zeros((3, 2), np.uint8), "float", "float32", True),
        (np.zeros((3, 2), np.float32), "float", "float64", True),
        (np.zeros((3, 2), np.float64), "float", "float32", False),
        (np.zeros(3, np.uint8), "int", "float32", False),
        (np.lib.stride_tricks.sliding_window_view(np.zeros(9), 4), "float", "float64", True),
        (np.zeros((2, 3)).T, "float", "float64", False),
        (np.zeros((3, 4))[:, ::2], "float", "float64", False),
    ],
)
def test_what_would_only_grow_is_left(array: np.ndarray[Any, Any], kind: Kind, dtype: DType, left: bool) -> None:
    found = read(array, kind, dtype)
    assert (found is array) == left
    np.testing.assert_array_equal(found, array)
    if not left:
        assert found.dtype == (np.int64 if kind == "int" else dtype)
        assert found.flags.c_contiguous
