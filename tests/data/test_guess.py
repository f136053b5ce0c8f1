"""What a CSV file seems to hold: each kind of column, the real tables, and files that are none."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from declnet.app.guessed import show_guess
from declnet.data import kinds
from declnet.data.guess import delimiter_of, guess
from declnet.data.kinds import Column, Seen
from declnet.data.sources import csv_table
from declnet.errors import DataError

ROWS = 300


@pytest.fixture(autouse=True)
def _folder(folder: Path) -> None: ...


def column(cells: Iterable[object], name: str = "c") -> Column:
    """The guess at a column, seen in three pieces: it is the same as in one."""
    texts = [*map(str, cells)]
    whole, pieces = Seen(name), Seen(name)
    whole.take(texts)
    third = len(texts) // 3
    for part in (texts[:third], texts[third : 2 * third], texts[2 * third :]):
        pieces.take(part)
    assert whole.judged() == pieces.judged()
    return whole.judged()


KINDS: dict[str, tuple[list[object], str, str]] = {
    "floats": ([row / 7 for row in range(ROWS)], "number", "from 0 to 42.71428571"),
    "integers": ([row * 37 % 250 for row in range(ROWS)], "number", "whole numbers from 0 to 249"),
    "exponents": ([f"{row + 1}e-3" for row in range(ROWS)], "number", "from 0.001 to 0.3"),
    "whole floats": ([f"{row % 60}.0" for row in range(ROWS)], "number", "whole numbers from 0 to 59"),
    "classes": (
        [row % 10 for row in range(ROWS)],
        "integer category",
        "10 different values: 0, 1, 2, 3, 4, 5, 6, 7 and",
    ),
    "years": (
        [2007 + row % 3 for row in range(ROWS)],
        "integer category",
        "3 different values: 2007, 2008 and 2009",
    ),
    "texts": ([["b", "a", "c"][row % 3] for row in range(ROWS)], "text category", "3 different values: a, b and c"),
    "codes": ([f"00{row % 7}" for row in range(ROWS)], "text category", "7 different values: 000, 001, 002"),
    "words": (
        [f"w{row % 90}" for row in range(ROWS)],
        "text",
        "more different texts than a category has, such as 'w0'",
    ),
    "sentences": (
        [f"this is row {row}" for row in range(ROWS)],
        "text",
        "texts of several words, such as 'this is row 0'",
    ),
    "long": (["x" * 250 + str(row % 2) for row in range(ROWS)], "text", f"such as '{'x' * 39}…'"),
    "names": ([f"row-{row}" for row in range(ROWS)], "identifier", "no value comes twice"),
    "rows from 0": ([*range(ROWS)], "identifier", "counts the rows"),
    "rows from 1": ([*range(1, ROWS + 1)], "identifier", "counts the rows"),
    "rows from 5": ([*range(5, ROWS + 5)], "number", "whole numbers from 5 to 304"),
    "dates": ([f"2007-11-{row % 30 + 1:02}" for row in range(ROWS)], "date", "cells such as '2007-11-01'"),
    "times": ([f"{row % 24}:30" for row in range(ROWS)], "date", "cells such as '0:30'"),
    "moments": ([f"25.11.2007 {row % 24}:{row % 60:02}:00" for row in range(ROWS)], "date", "'25.11.2007 0:00:00'"),
    "mixed dates": ([f"2007-11/{row % 30 + 1:02}" for row in range(ROWS)], "text category", "30 different values"),
    "one": (["same"] * ROWS, "constant", "every cell that is there is 'same'"),
    "one or none": (["7", "NA"] * ROWS, "constant", "every cell that is there is '7'"),
    "none": (["", " ", "NA", "?"] * ROWS, "constant", "every cell is missing"),
    "infinite": (["inf", *range(ROWS)], "number", "but 1 of 301 cells are none: 'inf'"),
    "grouped": (["1_000", *range(ROWS)], "number", "but 1 of 301 cells are none: '1_000'"),
    "mostly": (["unknown"] * 20 + [*range(ROWS)], "number", "but 20 of 320 cells are none: 'unknown'"),
    "hardly": (["unknown"] * 200 + [*range(ROWS)], "text", "more different texts than a category has"),
}


@pytest.mark.parametrize("name", KINDS)
def test_kinds(name: str) -> None:
    cells, kind, why = KINDS[name]
    found = column(cells)
    assert found.kind == kind
    assert why in found.why


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *(
            (name, "identifier")
            for name in ("id", "ID", "passenger_id", "PassengerId", "order key", "index", "rowid")
        ),
        *((name, "number") for name in ("width", "grid", "idea", "price_index", "valid")),
    ],
)
def test_names_of_identifiers(name: str, kind: str) -> None:
    assert column([row * 7919 % 100_003 for row in range(ROWS)], name).kind == kind
    assert column([row * 7919 % 50 for row in range(ROWS)], name).kind == "number", (
        "values that come again name no row"
    )
    assert column([row / 7 for row in range(ROWS)], name).kind == "number"


def test_what_is_missing() -> None:
    for text in kinds.MISSING:
        found = column([*range(ROWS), text, f" {text} "])
        assert (found.kind, found.missing, found.odd) == ("number", {text: 2}, {})
    found = column(["NA", "", "b", "NA", "a"] * ROWS)
    assert (found.kind, dict(found.missing)) == ("text category", {"NA": 2 * ROWS, "": ROWS})
    assert dict(found.values) == {"b": ROWS, "a": ROWS}


def test_what_else_is_kept() -> None:
    found = column([*range(10)] * 20 + [3] * 5)
    assert (found.low, found.high) == (0, 9)
    assert list(found.values.items())[:2] == [("3", 25), ("0", 20)]
    assert column(["a", "b"] * 50).low is None
    odd = column([*range(1000), "n/k", "n/k", "-"])
    assert dict(odd.odd) == {"n/k": 2, "-": 1}
    assert column([*range(1000)]).values == {}


def test_the_skew() -> None:
    numbers = np.random.default_rng(0).lognormal(3, 1, 2000)
    wanted = np.mean((numbers - numbers.mean()) ** 3) / numbers.std() ** 3
    for cells in ([*numbers], [*numbers, "NA"]):
        assert column(cells).skew == pytest.approx(wanted, abs=0.006)
    assert column(1e6 + numbers).skew == pytest.approx(wanted, abs=0.006)
    assert column([*range(100)]).skew == 0
    assert column([5] * 100).skew == 0
    assert column(["a", "b"] * 50).skew is None
    assert column([1e200, -1e200, 3] * 50).skew is None, "its cube is no number"


def test_nothing_goes_to_the_terminal_as_it_is() -> None:
    found = column(["\x1b[31mred", "blue"] * 50)
    assert "\x1b" not in found.why
    assert "\x1b" not in column([f"\x1b{row}" for row in range(ROWS)]).why


# Files.


def test_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["id;colour;size", *(f"{row};{['red', '', 'blue'][row % 3]};{row / 7:.3f}" for row in range(30))]
    Path("t.csv").write_text("\n".join(lines), encoding="utf-8")
    found = guess(Path("t.csv"))
    assert (found.delimiter, found.rows, found.missing) == (";", 30, ("",))
    assert [item.kind for item in found.columns] == ["identifier", "text category", "number"]
    show_guess(found)
    assert (
        capsys.readouterr().out
        == """\
t.csv: 30 rows of 3 columns, set apart by ';'
column  seems to be    because                           missing
id      identifier     counts the rows
colour  text category  2 different values: blue and red  10
size    number         from 0 to 4.143
"""
    )


def test_missing_texts_by_how_often_they_come() -> None:
    Path("t.csv").write_text("a,b\n1,NA\n?,NA\n?,NA\n,2\n3,4\n", encoding="utf-8")
    assert guess(Path("t.csv")).missing == ("NA", "?", "")


@pytest.mark.parametrize("text", ["a,b", "a;b", "a\tb", "a|b", "a", '"x,y,z";b', "a,b;c"])
def test_delimiters(text: str) -> None:
    Path("t.csv").write_text(f"{text}\n", encoding="utf-8")
    bare = text.replace("x,y,z", "")
    assert delimiter_of(Path("t.csv")) == next((char for char in ",;\t|" if char in bare), ",")


def test_packed_and_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["n,c", *(f"{row / 3:.4f},{'ab'[row % 2]}" for row in range(500))]
    Path("t.csv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    whole = guess(Path("t.csv.gz"))
    monkeypatch.setattr(csv_table, "BLOCK", 14)
    assert guess(Path("t.csv.gz")) == whole


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the header is missing"),
        ("a,b\n", "there are no rows below the header"),
        ("a,b\n1,2\n3\n4,5\n", "row has 1 cell, the header 2"),
        ("a,b\n1,2\n\n4,5\n", "a blank line between rows"),
        ('a,b\n1,"2\n4,5\n', "this quote is never closed"),
        ("a,a\n1,2\n", "columns 1 and 2 are both called 'a'"),
    ],
)
def test_files_that_are_no_tables(text: str, message: str) -> None:
    Path("t.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        guess(Path("t.csv"))
    assert message in str(caught.value)


def test_a_last_blank_line_is_none() -> None:
    Path("t.csv").write_text("a,b\n1,2\n3,4\n\n", encoding="utf-8")
    assert guess(Path("t.csv")).rows == 2


def test_memory_is_flat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of columns in which everything is different, whatever their length."""

    def peak(rows: int) -> int:
        lines = (f"{row},{row * 0.37},text {row} of a row,{'x' * (row % 220)}{row}" for row in range(rows))
        Path("t.csv").write_text("a,b,c,d\n" + "\n".join(lines), encoding="utf-8")
        tracemalloc.start()
        assert guess(Path("t.csv")).rows == rows
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    monkeypatch.setattr(csv_table, "BLOCK", 1 << 13)
    small = peak(10_000)
    assert peak(40_000) < 1.1 * small


def test_penguins(real_data: Callable[[str], Path]) -> None:
    found = guess(real_data("penguins.csv"))
    assert (found.delimiter, found.rows, found.missing) == (",", 344, ("",))
    assert {item.name: (item.kind, sum(item.missing.values())) for item in found.columns} == {
        "species": ("text category", 0),
        "island": ("text category", 0),
        "bill_length_mm": ("number", 2),
        "bill_depth_mm": ("number", 2),
        "flipper_length_mm": ("number", 2),
        "body_mass_g": ("number", 2),
        "sex": ("text category", 11),
    }
    assert dict(found.columns[0].values) == {"Adelie": 152, "Gentoo": 124, "Chinstrap": 68}


def test_housing(real_data: Callable[[str], Path]) -> None:
    found = guess(real_data("housing.csv"))
    assert found.rows == 20_640
    assert [item.kind for item in found.columns] == ["number"] * 9 + ["text category"]
    assert {item.name: item.missing[""] for item in found.columns if item.missing} == {"total_bedrooms": 207}
    assert dict(found.columns[-1].values)["ISLAND"] == 5
