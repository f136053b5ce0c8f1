"""Parquet: columns of numbers of all kinds, what is refused, and files that are damaged."""

from __future__ import annotations

import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from declnet.core.source import Asked, Column
from declnet.core.transform import MISSING, Texts
from declnet.data.sources import parquet as module
from declnet.data.sources.parquet import Parquet
from declnet.errors import DataError

pa = pytest.importorskip("pyarrow", reason="needs pyarrow")
pq = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")

if TYPE_CHECKING:
    from conftest import Command

Refusal = Callable[[Callable[[], object]], str]


@pytest.fixture(autouse=True)
def _folder(folder: Path) -> None: ...


def source(columns: dict[str, Any], **options: Any) -> Parquet:
    pq.write_table(pa.table(columns), "t.parquet", **options)
    return Parquet(path=Path("t.parquet"))


@pytest.mark.parametrize("block", [3, module.ROWS])
@pytest.mark.parametrize("groups", [2, 100])
def test_reads_numbers_of_all_kinds(block: int, groups: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS", block)
    count = 8
    columns: dict[str, Any] = {
        kind: np.arange(count).astype(kind)
        for kind in ("int8", "uint8", "int16", "int32", "int64", "uint64", "float16", "float32", "float64")
    }
    columns["flag"] = np.arange(count) % 3 == 0
    columns["dotted.name"] = np.arange(count) / 7
    vectors = np.arange(count * 3, dtype=np.float32)
    lists = pa.FixedSizeListArray.from_arrays(pa.array(vectors), 3)
    prices = pa.array([Decimal(row) / 4 for row in range(count)], pa.decimal128(9, 2))
    made = source(columns | {"vector": lists, "price": prices}, row_group_size=groups)
    assert made.columns() == dict.fromkeys([*columns, "price"], Column(text="may")) | {"vector": Column((3,))}
    read = made.read(["vector", "price", *columns])
    for name, values in columns.items():
        np.testing.assert_array_equal(read[name], values)
    np.testing.assert_array_equal(read["vector"], vectors.reshape(count, 3))
    np.testing.assert_array_equal(read["price"], np.arange(count) / 4)


def test_columns_that_hold_no_numbers() -> None:
    made = source(
        {
            "text": ["a", "b"],
            "category": pa.array(["a", "b"]).dictionary_encode(),
            "lists": [[1, 2], [3]],
            "when": pa.array([0, 1], pa.timestamp("ms")),
            "texts": pa.FixedSizeListArray.from_arrays(pa.array(["a", "b"]), 1),
            "fine": [1, 2],
        }
    )
    columns = made.columns()
    assert [name for name, column in columns.items() if not column.refused] == ["text", "category", "fine"]
    assert [columns[name].text for name in ("text", "category", "fine")] == ["yes", "yes", "may"]
    assert columns["when"].refused == (
        "holds values of type timestamp[ms], and declnet reads numbers and texts: save it as one of them"
    )


@pytest.mark.parametrize("block", [2, module.ROWS])
def test_missing_values(refusal: Refusal, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS", block)
    made = source(
        {
            "a": [1, 2, 3, None, 5],
            "whole": pa.array([[1, 2], [3, 4], None, [5, 6], [7, 8]], pa.list_(pa.int32(), 2)),
            "part": pa.array([[1, 2], [3, 4], [5, 6], [7, 8], [9, None]], pa.list_(pa.int32(), 2)),
        }
    )
    for name, row in {"a": 4, "whole": 3, "part": 5}.items():
        message = refusal(lambda: made.read([name]))  # noqa: B023 - called within the loop
        assert message == f"t.parquet: column {name!r}: missing value; the transform Impute fills it in (row {row})"


def test_no_rows_and_names_twice(refusal: Refusal) -> None:
    made = source({"a": pa.array([], pa.int32())})
    assert refusal(lambda: made.read(["a"])) == "path: t.parquet: has no rows"
    pq.write_table(pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]), "t.parquet")
    assert refusal(made.columns) == "path: t.parquet: two columns are called 'a'"


def test_files_that_are_none(refusal: Refusal) -> None:
    assert refusal(Parquet(path=Path("no")).columns) == "path: no: no such file"
    Path("t.parquet").write_text("a,b\n1,2\n", encoding="utf-8")
    damaged = "path: t.parquet: is not a Parquet file, or damaged: "
    assert refusal(Parquet(path=Path("t.parquet")).columns).startswith(damaged)


def test_damaged_files() -> None:
    """Each refused as data, or read: whatever is broken, nothing else comes out."""
    rng = np.random.default_rng(0)
    made = source({"a": np.arange(1000), "b": np.arange(1000) / 7}, compression="snappy")
    whole = Path("t.parquet").read_bytes()
    refused = 0
    for number in range(200):
        content = bytearray(whole[: rng.integers(len(whole))] if number % 2 else whole)
        for place in rng.integers(0, len(content) + 1, 3):
            content[place : place + 1] = rng.bytes(1)
        Path("t.parquet").write_bytes(content)
        try:
            made.read([*made.columns()][:1])
        except DataError:
            refused += 1
    assert refused > 100


CONFIG = """\
data: {source: {type: Parquet, path: t.parquet}, inputs: ["x?"], targets: {y: {columns: y, dtype: int64}}}
model: [{type: Linear, out_features: 2}]
loss: CrossEntropyLoss
optimizer: SGD
loop: {epochs: 1}
"""


def test_a_run_and_a_fraction_as_class(command: Command) -> None:
    x = np.arange(20) / 20
    source({"x1": x, "x2": -x, "y": np.arange(20) % 2, "species": ["a"] * 20})
    Path("c.yaml").write_text(CONFIG, encoding="utf-8")
    assert command("train", "c.yaml").rc == 0
    source({"x1": x, "x2": -x, "y": np.arange(20) / 2})
    refused = command("train", "c.yaml")
    assert refused.rc == 3
    assert refused.stderr.startswith(
        "c.yaml:1:16: error: data.source: column 'y' is to hold integers (dtype: int64), but this is 0.5 (row 2)\n"
    )


def test_without_pyarrow(command: Command) -> None:
    Path("c.yaml").write_text(CONFIG, encoding="utf-8")
    hide = "import sys; sys.modules['pyarrow'] = None; from declnet.app import main"
    refused = command.run(
        [sys.executable, "-c", f"{hide}; sys.argv[1:] = ['validate', 'c.yaml']; sys.exit(main())"]
    )
    assert (refused.rc, refused.stdout) == (2, "")
    assert refused.stderr.startswith(
        "c.yaml:1:23: error: data.source.type: Parquet needs pyarrow: pip install 'declnet[parquet]'\n"
    )


def test_texts_and_gaps() -> None:
    made = source(
        {
            "t": ["u", None, " v ", ""],
            "c": pa.array(["x", "x", None, "y"]).dictionary_encode(),
            "n": pa.array([1, None, 3, 4], pa.int16()),
            "b": pa.array([True, None, False, True]),
            "d": pa.array([Decimal(1), None, Decimal(3), Decimal(4)], pa.decimal128(9, 2)),
        }
    )
    asked = [Asked(name, text=True, gaps=True) for name in "tcn"] + [Asked(name, gaps=True) for name in "nbd"]
    found: list[list[object]] = []
    for rows in made.read_as(asked):
        if isinstance(rows, Texts):
            found.append([None if code == MISSING else rows.values[code] for code in rows.codes.tolist()])
        else:
            found.append([None if np.isnan(cell) else cell for cell in rows])
    assert found[:3] == [["u", None, "v", None], ["x", "x", None, "y"], ["1", None, "3", "4"]]
    assert found[3:] == [[1, None, 3, 4], [1, None, 0, 1], [1, None, 3, 4]]


def test_texts_that_are_missing(refusal: Refusal) -> None:
    made = source({"t": ["u", "v", None]})
    message = refusal(lambda: made.read_as([Asked("t", text=True)]))
    assert message == "t.parquet: column 't': missing value; the transform Impute fills it in (row 3)"
