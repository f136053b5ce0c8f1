"""The CSV source: what it reads, what it refuses, in which words and at which place."""

from __future__ import annotations

import csv as stdlib
import gzip
import io
import os
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from declnet.core.registry import sources
from declnet.core.source import Asked, Column
from declnet.core.transform import MISSING, Rows, Texts
from declnet.data.sources import csv_stream
from declnet.data.sources import csv_table as module
from declnet.data.sources.csv import CSV
from declnet.errors import DataError

HEADER = "the header is missing: the first line is to name the columns"
BLANK = "a blank line between rows"
UNCLOSED = "this quote is never closed"
AFTER = "text after a closing quote; a quote within a quoted cell is written twice"
NUL = "a NUL character; is this a text file?"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def source(text: str | bytes, delimiter: str = ",") -> CSV:
    Path("t.csv").write_bytes(text.encode() if isinstance(text, str) else text)
    return CSV(path=Path("t.csv"), delimiter=delimiter)


def read(text: str | bytes, *columns: str, delimiter: str = ",") -> dict[str, list[float]]:
    arrays = source(text, delimiter).read(columns)
    assert all(array.dtype == np.float64 and array.ndim == 1 for array in arrays.values())
    return {name: array.tolist() for name, array in arrays.items()}


TEXTS = "; the transforms Category, OneHot and ClassLabels take texts"
GAP = "; the transform Impute fills in what the source lists under missing"
MAYBE = ", and the source lists under missing what stands for a missing value"
HINTS = (MAYBE, TEXTS, GAP)
"""What messages add, and the tests of where mistakes are leave out."""


def mistakes_of(call: Callable[[], object]) -> list[str]:
    """The headlines, `t.csv:1:2: error: message` cut down to `1:2 message`, without what is added to it."""
    with pytest.raises(DataError) as caught:
        call()
    assert caught.value.exit_code == 3
    headlines = [diagnostic.headline for diagnostic in caught.value.diagnostics]
    for hint in HINTS:
        headlines = [headline.replace(hint, "") for headline in headlines]
    return [re.sub(r"^t\.csv:(\d+:\d+): error: ", r"\1 ", headline) for headline in headlines]


def refusal(text: str | bytes, *columns: str) -> list[str]:
    return mistakes_of(lambda: source(text).read(columns or ("a", "b")))


@pytest.mark.parametrize(
    ("text", "a", "b"),
    [
        ("a,b\n1,2\n3,4\n", [1, 3], [2, 4]),
        ("a,b\n1,2\n3,4", [1, 3], [2, 4]),
        ("\ufeffa,b\r\n1,2\r\n\r\n\r\n", [1], [2]),
        ("a,b\r1,2\r", [1], [2]),
        (' a ," b "\n 1 ,\t2 \n', [1], [2]),
        ('"a","b"\n"1"," 2 "\n', [1], [2]),
        ("b,x,a\n-1e-3,foo_bar,.5\n+7.,nan,1E2\n", [0.5, 100], [-0.001, 7]),
        ('a,x,b\n1,"line\n\n""two"", three",2\n3,5" pipe,4\n', [1, 3], [2, 4]),
        ("a,b\n0.1,1e-400\n", [0.1], [0]),
        ("a,b,ä\n1,2,€ 😀\n", [1], [2]),
    ],
)
def test_reads(text: str, a: list[float], b: list[float]) -> None:
    assert read(text, "b", "a") == {"a": a, "b": b}
    assert {"a", "b"} <= set(source(text).columns())


@pytest.mark.parametrize("delimiter", [";", "\t", "|", " ", "^", "]", "\\", "€"])
def test_delimiters(delimiter: str) -> None:
    text = 'a,b\n1.5,"2"\n'.replace(",", delimiter)
    assert read(text, "a", "b", delimiter=delimiter) == {"a": [1.5], "b": [2]}
    wrong = source(text + f"1{delimiter}x\n", delimiter)
    assert mistakes_of(lambda: wrong.read(["b"])) == ["3:3 column 'b': 'x' is not a number"]


@pytest.mark.parametrize("delimiter", ["", ";;", '"', "\n", "\r", "\0"])
def test_a_delimiter_is_one_character(delimiter: str) -> None:
    with pytest.raises(ValidationError, match="a delimiter is one character, not a quote or a line end; got"):
        CSV(path=Path("t.csv"), delimiter=delimiter)


def test_one_column_and_repeated_requests() -> None:
    assert read("a\n1\n2\n\n", "a", "a") == {"a": [1, 2]}
    assert read("a\n1\n", *()) == {}
    assert refusal("a\n1\n\n2\n", "a") == [f"3:1 {BLANK}"]


def test_columns_reads_the_header_only() -> None:
    text = b'x, y,"z ""1"""\n1,2\n\xff\0"'
    assert sources["CSV"] is CSV
    assert source(text).columns() == dict.fromkeys(("x", "y", 'z "1"'), Column(text="may"))
    assert (Column().shape, Column().kind) == ((), None)


@pytest.mark.parametrize(
    ("text", "mistakes"),
    [
        ("", [f"1:1 {HEADER}"]),
        ("\ufeff", [f"1:1 {HEADER}"]),
        ("\na,b\n", [f"1:1 {HEADER}"]),
        ("   \n1\n", ["1:1 column 1 has no name"]),
        ("a,,b,\n", ["1:3 column 2 has no name", "1:6 column 4 has no name"]),
        ('a,"x,y",b, a\n', ["1:11 columns 1 and 4 are both called 'a'"]),
        ("a,b\0\n", [f"1:4 {NUL}"]),
        (b"a,\xe4\n", ["1:3 byte 0xE4 is not UTF-8; save the file as UTF-8"]),
        ("a,b\n".encode("utf-16"), ["1:1 byte 0xFF is not UTF-8; save the file as UTF-8"]),
        ('a,"b\n1,2\n', [f"1:3 {UNCLOSED}"]),
        ('"a"x,b\n', [f"1:4 {AFTER}"]),
    ],
)
def test_header_mistakes(text: str | bytes, mistakes: list[str]) -> None:
    assert mistakes_of(source(text).columns) == mistakes
    assert refusal(text) == mistakes


@pytest.mark.parametrize(
    ("rows", "mistakes"),
    [
        ("", ["1:1 there are no rows below the header"]),
        ("\n\n", ["1:1 there are no rows below the header"]),
        ("1,2\n3,abc\n", ["3:3 column 'b': 'abc' is not a number"]),
        ('"x,y", 1_0\n', ["2:1 column 'a': 'x,y' is not a number", "2:7 column 'b': ' 1_0' is not a number"]),
        ("0x10,1e\n", ["2:1 column 'a': '0x10' is not a number", "2:6 column 'b': '1e' is not a number"]),
        (
            "nan,-Infinity\n",
            ["2:1 column 'a': 'nan' is not finite", "2:5 column 'b': '-Infinity' is not finite"],
        ),
        ("1e999,2\n", ["2:1 column 'a': '1e999' is not finite"]),
        (",\n", ["2:1 column 'a': missing value", "2:2 column 'b': missing value"]),
        ("1,", ["2:3 column 'b': missing value"]),
        ('1,"  "\n', ["2:3 column 'b': missing value"]),
        ("1\n1,2,3\n", ["2:1 row has 1 cell, the header 2", "3:1 row has 3 cells, the header 2"]),
        ("1,2\n\n\n3,4\n\n", [f"3:1 {BLANK}"]),
        (
            "\nx,1\n\n2,y\n",
            [
                f"2:1 {BLANK}",
                "3:1 column 'a': 'x' is not a number",
                f"4:1 {BLANK}",
                "5:3 column 'b': 'y' is not a number",
            ],
        ),
        (
            '"1\n",2\r\n3,"\n\n"\r\n4,z\r\n',
            ["4:3 column 'b': missing value", "7:3 column 'b': 'z' is not a number"],
        ),
        ('"1\n\n",z\n', ["4:3 column 'b': 'z' is not a number"]),
        ("1,\x1b[2J\n", [r"2:3 column 'b': '\x1b[2J' is not a number"]),
        ("1," + "9" * 300 + "x\n", [f"2:3 column 'b': '{'9' * 39}…' is not a number"]),
        ('x,2\n1,"2\n3,4\n', ["2:1 column 'a': 'x' is not a number", f"3:3 {UNCLOSED}"]),
        ('1,"2""\n', [f"2:3 {UNCLOSED}"]),
        ('1,2\n"3\n4"5,6\n', [f"4:3 {AFTER}"]),
        ('1,"2" \n', [f"2:6 {AFTER}"]),
        ("1,2\n3,\0\nx,y\n", [f"3:3 {NUL}"]),
        (
            "x,2\n" + "1" * 131_073 + ",2\n",
            ["2:1 column 'a': 'x' is not a number", "3:1 a cell of more than 131,072 characters"],
        ),
        (
            '1,"' + "2,3\n" * 40_000,
            ["2:3 a cell of more than 131,072 characters; is this quote never closed?"],
        ),
    ],
)
def test_row_mistakes(rows: str, mistakes: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal("a,b\n" + rows) == mistakes
    monkeypatch.setattr(module, "BLOCK", 1)  # one row a block: the same mistakes, though found apart
    assert refusal("a,b\n" + rows) == mistakes


def test_bytes_that_are_not_utf_8_end_the_reading() -> None:
    mistakes = [
        "2:1 column 'a': 'ä' is not a number",
        "3:5 byte 0xE4 is not UTF-8; save the file as UTF-8",
    ]
    assert refusal("a,b,c\nä,2,\n1,2,".encode() + b"\xe4\nx,y,z\n") == mistakes


def test_unwanted_columns_may_hold_anything_but_must_be_there() -> None:
    assert read("a,b\n1,\n2,nan\n3,1_0\n", "a") == {"a": [1, 2, 3]}
    assert refusal("a,b\n1,x\n2\n", "a") == ["3:1 row has 1 cell, the header 2"]


def test_twenty_mistakes_in_full() -> None:
    mistakes = [f"{line}:3 column 'b': 'x' is not a number" for line in range(2, 22)]
    assert refusal("a,b\n" + "1,x\n" * 20) == mistakes
    assert refusal("a,b\n" + "1,x\n" * 21) == [*mistakes, "error: and 1 more mistake"]
    assert refusal("a,b\n" + "1,x\n" * 30_000) == [*mistakes, "error: and 29980 more mistakes"]


def test_a_mistake_with_its_line() -> None:
    with pytest.raises(DataError) as caught:
        source("a,b,c\n1,\t\x1b,2\n").read(["b"])
    assert str(caught.value) == "\n".join(
        [rf"t.csv:2:3: error: column 'b': '\t\x1b' is not a number{TEXTS}", "    1,\t\ufffd,2", "      ^"]
    )
    with pytest.raises(DataError) as caught:  # too far to the right for a caret
        source("a,b\n" + "1" * 250 + ",x\n").read(["b"])
    assert str(caught.value) == f"t.csv:2:252: error: column 'b': 'x' is not a number{TEXTS}"


def test_a_line_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINE", 16)
    assert read("a,b\n" + "1,00000000000.2", "b") == {"b": [0.2]}
    assert refusal("a,b\n1,2\n" + "1" * 99) == ["3:1 a line of 16 characters or more; is this a CSV file?"]


def test_unknown_column() -> None:
    assert refusal("width,height\n1,2\n", "width", "Height") == [
        "error: t.csv: no column 'Height'; did you mean 'height'?"
    ]
    assert refusal("width,height\n1,2\n", "label") == ["error: t.csv: no column 'label'"]


@settings(max_examples=20, deadline=None)
@given(rows=st.integers(1, 100), level=st.integers(0, 9))
def test_gzipped(rows: int, level: int) -> None:
    text = "a,b\n" + "".join(f"{row},{row / 7}\n" for row in range(rows))
    packed = gzip.compress(text.encode(), level)
    assert read(packed, "a", "b") == read(text, "a", "b")
    assert source(packed).locate(rows - 1, "b") == source(text).locate(rows - 1, "b")


def test_damaged_gzip() -> None:
    packed = gzip.compress(b"a,b\n" + b"".join(b"%d,%d\n" % (row, row * row % 997) for row in range(3_000)))
    damaged = "error: path: t.csv: is damaged: "
    assert refusal(packed + b"\1") == [f"{damaged}it ends before what is packed in it does"]
    for cut in (4, 9, len(packed) // 2):
        assert refusal(packed[:-cut]) == [f"{damaged}it ends before what is packed in it does"]
    for wrong, reason in {
        packed + b"words": "incorrect header check",
        packed[:-8] + bytes(8): "incorrect data check",
        packed[:-4] + bytes(4): "incorrect length check",
        packed[:60] + bytes(9) + packed[69:]: "invalid distance too far back",
    }.items():
        assert refusal(wrong) == [f"{damaged}Error -3 while decompressing data: {reason}"]


def test_gzipped_in_several_parts_and_padded() -> None:
    parts = [gzip.compress(part.encode()) for part in ("a,b\n1,", "2\n", "", "3,4\n")]
    for padding in (b"", bytes(3000)):
        assert read(b"".join(parts) + padding, "a", "b") == {"a": [1, 3], "b": [2, 4]}


@pytest.mark.parametrize(("unit", "count"), [(b"0,0\n", 1 << 22), (b"0" * 1024, 1 << 14)])
def test_a_bomb_is_refused_before_it_is_in_memory(unit: bytes, count: int) -> None:
    packed = gzip.compress(b"a,b\n" + unit * count)
    tracemalloc.start()
    try:
        (mistake,) = refusal(packed)
        assert tracemalloc.get_traced_memory()[1] < 64e6
    finally:
        tracemalloc.stop()
    assert mistake == (
        "error: path: t.csv: unpacks to more than 500 times its size, as no real data do; "
        "unpack it where it is meant so"
    )
    assert read(gzip.compress(b"a,b\n" + b"0,0\n" * 200_000), "a")["a"] == [0] * 200_000


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_memory_is_flat(pack: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """More rows take the memory of their numbers; the blocks of text are of one size however long the file is."""
    monkeypatch.setattr(module, "BLOCK", 1 << 10)
    peaks = []
    for rows in (2_000, 32_000):
        made = source(pack(b"a,b,c,d,e\n" + b"12345.678,12345.678,12345.678,12345.678,words\n" * rows))
        tracemalloc.start()
        try:
            made.read(["a", "b", "c", "d"])
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    numbers = 30_000 * 4 * 8
    assert peaks[1] - peaks[0] < 1.2 * numbers


def path_refusal(path: str) -> str:
    with pytest.raises(DataError) as caught:
        CSV(path=Path(path)).columns()
    (diagnostic,) = caught.value.diagnostics
    assert (caught.value.exit_code, diagnostic.path, diagnostic.mark) == (3, ("path",), None)
    return diagnostic.message


def test_files_that_cannot_be_read() -> None:
    Path("folder").mkdir()
    os.mkfifo("pipe")
    assert path_refusal("no.csv") == "no.csv: no such file"
    assert path_refusal("folder") == "folder: is a directory, not a file"
    assert path_refusal("pipe") == "pipe: is not a regular file"
    assert path_refusal("/dev/zero") == "/dev/zero: is not a regular file"
    assert path_refusal("n" * 300) == f"{'n' * 300}: cannot be read: File name too long"
    assert path_refusal("a\0b").startswith("a\ufffdb: cannot be read: ")
    assert path_refusal("\ud800").startswith("\ufffd: cannot be read: ")


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs Linux's /proc")
def test_a_file_that_opens_but_does_not_read() -> None:
    assert path_refusal("/proc/self/mem") == "/proc/self/mem: cannot be read: Input/output error"


def naive(text: str) -> dict[str, list[float]] | None:
    """The columns by the plainest code there is; None where anything is wrong."""
    try:
        _, *rows = stdlib.reader(io.StringIO(text, newline=""), strict=True)
        while rows and not rows[-1]:
            rows.pop()
        a, b = zip(*rows, strict=True)
        columns = {"a": list(map(float, a)), "b": list(map(float, b))}
    except (stdlib.Error, ValueError):
        return None
    return columns if np.isfinite([*columns.values()]).all() and "_" not in "".join(a + b) else None


TOKENS = [
    "1",
    "2.5",
    "-3e1",
    ",",
    "\n",
    "\r\n",
    "\r",
    '"',
    '""',
    '"6"',
    " ",
    "_",
    "x",
    "é",
    "nan",
    "4,5\n",
    '7,"8',
]


@settings(max_examples=500, deadline=None)
@given(
    tail=st.lists(st.sampled_from(TOKENS), max_size=12).map("".join),
    block=st.sampled_from([1, 4, module.BLOCK]),
)
def test_agrees_with_the_plainest_code(tail: str, block: int) -> None:
    text = "a,b\n" + tail
    file = source(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", block)
        expected = naive(text)
        if expected is not None:
            assert read(text, "a", "b") == expected
            return
        with pytest.raises(DataError) as caught:
            file.read(["a", "b"])
    ends = [0, *(match.end() for match in re.finditer(r"\r\n|\r|\n", text))]
    places = []
    for diagnostic in caught.value.diagnostics:
        mark = diagnostic.mark
        assert mark is not None
        places.append((mark.line, mark.column))
        if bad := re.fullmatch(r"column '.': (.*) is not .*", diagnostic.message):
            there = text[ends[mark.line - 1] + mark.column - 1 :]
            cell = next(stdlib.reader(io.StringIO(there, newline="")))[0]
            assert repr(cell) == bad[1]
    assert places == sorted(places)


# Texts and gaps.

WORDS = 'a,b,c\n1, x ,u\n,"y, z",\nNA,x,-999\n4,NA,v\n'


def cells(rows: Rows) -> list[object]:
    """Numbers, None for a gap; texts, None where one is missing."""
    if isinstance(rows, Texts):
        return [None if code == MISSING else str(rows.values[code]) for code in rows.codes]
    return [None if np.isnan(cell) else cell for cell in rows]


@pytest.mark.parametrize("block", [1, 6, 1 << 16])
def test_texts_and_gaps(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", block)
    source(WORDS)
    asked = [Asked("c", text=True, gaps=True), Asked("b", text=True), Asked("a", gaps=True), Asked("b", True, True)]
    table = CSV(path=Path("t.csv"), missing=("", "NA"))
    assert mistakes_of(lambda: table.read_as(asked)) == ["5:3 column 'b': missing value"]
    found = CSV(path=Path("t.csv"), missing=(" ", "-999")).read_as(asked[:2])
    assert list(map(cells, found)) == [["u", None, None, "v"], ["x", "y, z", "x", "NA"]]
    found = table.read_as([asked[0], *asked[2:]])
    assert list(map(cells, found)) == [["u", None, "-999", "v"], [1, None, None, 4], ["x", "y, z", "x", None]]
    texts = found[0]
    assert isinstance(texts, Texts)
    assert sorted(texts.values.tolist()) == ["-999", "u", "v"]  # each once, however many rows


@pytest.mark.parametrize("block", [1, 1 << 16])
def test_a_number_that_stands_for_a_missing_value(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", block)
    source("a\n1\n-999\n3\n")
    table = CSV(path=Path("t.csv"), missing=("-999",))
    assert cells(*table.read_as([Asked("a", gaps=True)])) == [1, None, 3]
    assert mistakes_of(lambda: table.read(["a"])) == ["3:1 column 'a': missing value"]
    assert cells(*CSV(path=Path("t.csv")).read_as([Asked("a")])) == [1, -999, 3]


@pytest.mark.parametrize("gaps", [False, True])
def test_what_is_said_of_cells(gaps: bool) -> None:
    source("a\nx\nNA\n\nnan\ninf\n")
    with pytest.raises(DataError) as caught:
        CSV(path=Path("t.csv"), missing=("?",)).read_as([Asked("a", gaps=gaps)])
    assert [item.message for item in caught.value.diagnostics] == [
        f"column 'a': 'x' is not a number{TEXTS}",
        f"column 'a': 'NA' is not a number{TEXTS}{MAYBE}",
        BLANK,
        f"column 'a': 'nan' is not finite{MAYBE}",
        "column 'a': 'inf' is not finite",
    ]


def test_a_stream_forgets_the_texts_of_a_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_stream, "BLOCK", 7)
    text = "a\n" + "".join(f"word {index}\n" for index in range(300))
    table = module.Table(io.StringIO(text), Path("t.csv"), ",")
    found: list[object] = []
    for chunk in csv_stream.stream(table, [Asked("a", text=True)], 1):
        (rows,) = chunk.columns.values()
        assert isinstance(rows, Texts)
        assert len(rows.values) == len(rows)
        found += cells(rows)
    assert found == [f"word {index}" for index in range(300)]
