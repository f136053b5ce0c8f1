"""The loader: what it reads, what it refuses and in which words, and that nothing brings it down."""

from __future__ import annotations

import math
import os
import pathlib
import socket

import pytest
import yaml as pyyaml
from hypothesis import given, settings
from hypothesis import strategies as st

from declnet.config.document import Document, Value
from declnet.config.yaml import load, loads, scalar
from declnet.errors import ConfigError, Mark, Path


def refusal(text: str | bytes) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loads(text, "f")
    return [diagnostic.headline for diagnostic in caught.value.diagnostics]


SCALARS: list[tuple[Value, str]] = [
    (None, "~ null Null NULL"),
    (True, "true True TRUE"),
    (False, "false False FALSE"),
    (math.inf, ".inf .Inf .INF +.inf +.Inf +.INF"),
    (-math.inf, "-.inf -.Inf -.INF"),
    (math.nan, ".nan .NaN .NAN"),
    (0, "0 -0 +0 0o0 0x0"),
    (12, "12 +12 0o14 0xC 0xc"),
    (-12, "-12"),
    (10**19 - 1, "9999999999999999999 0x8ac7230489e7ffff 0o1053071060221171777777"),
    (0.001, "1e-3 1E-3 .001 0.001 +.001 1.e-3 00.001"),
    (1.0, "1. 1.0 1e0 1e+0"),
    (-0.0, "-0. -.0 -0e0"),
    (0.0, "1e-999"),
]
STRINGS = """no yes on off y n No YES nULL tRUE 1_000 0b1 -0o17 +0x1f 0o8 0xg 12:30:45 1:30 2001-01-01 .
    2001-01-01T00:00:00Z 1e 1e+ e3 .e3 + - -- .inF inf nan -.nan +.nan 1.2.3 ++1 = a:b 1,000 0x 0o ~~"""


@pytest.mark.parametrize(("value", "text"), [(value, text) for value, texts in SCALARS for text in texts.split()])
def test_scalar(value: Value, text: str) -> None:
    assert repr(scalar(text)) == repr(value)
    assert repr(loads(f"a: {text}", "f").data) == repr({"a": value})


@pytest.mark.parametrize("text", STRINGS.split())
def test_plain_string(text: str) -> None:
    assert scalar(text) == text


def test_the_empty_scalar_is_null() -> None:
    assert scalar("") is None
    assert loads("a:\nb: [1, ]\nc: {d, e: }\nf: &x\ng: *x", "f").data == {
        "a": None,
        "b": (1,),
        "c": {"d": None, "e": None},
        "f": None,
        "g": None,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("010", "010 starts with a zero; write 10, or 0o10 for octal, or quote it"),
        ("-010", "-010 starts with a zero; write -10, or quote it"),
        ("08", "08 starts with a zero; write 8, or quote it"),
        ("00", "00 starts with a zero; write 0, or 0o0 for octal, or quote it"),
        ("0" * 5000 + "1", f"{'0' * 39}… starts with a zero; write 1, or 0o1 for octal, or quote it"),
        ("1" * 20, "11111111111111111111 has more than 19 digits; write a float (1e20), or quote it"),
        ("-" + "1" * 5000, f"-{'1' * 38}… has more than 19 digits; write a float (1e20), or quote it"),
        (
            "0xffffffffffffffff",
            "0xffffffffffffffff has more than 19 digits; write a float (1e20), or quote it",
        ),
        ("1e400", "1e400 is too large for a float; write .inf, or quote it"),
    ],
)
def test_refused_scalar(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        scalar(text)
    assert str(caught.value) == message
    assert refusal(f"a: {text}") == [f"f:1:4: error: a: {message}"]
    assert loads(f"a: '{text}'", "f").data == {"a": text}


def test_quoted_and_block_scalars_are_strings() -> None:
    text = "a: '1'\nb: \"true\\n\\u00e9\"\nc: |\n  010\n  ~\nd: >-\n  1\n  2\n'3': '<<'\n\"<<\": ''\n? e\n: f"
    assert loads(text, "f").data == {
        "a": "1",
        "b": "true\né",
        "c": "010\n~\n",
        "d": "1 2",
        "3": "<<",
        "<<": "",
        "e": "f",
    }


TAGS = "tags ('!') are not supported; remove this one, or quote text that begins with '!'"
MISFIT = "this does not fit here; check its indentation, and the quotes and brackets before it"
DIRECTIVE = "the only directive supported is '%YAML 1.2'; remove this one, or quote the text"
HALF = "\\uD800 to \\uDFFF are halves of a character; write the whole one, or its \\U escape"
BRACKET = "this bracket is never closed"
BLOCK = "'|' and '>' start a text on the lines below; quote text that begins so"
EXPECTED_END = "expected '---' or the end of the document here"
TOO_DEEP = "no key can stand here; is the line above missing its ':', or this line indented too deep?"

REFUSED: dict[str, tuple[str | bytes, str]] = {
    "duplicate key": (
        "a: 1\nb: {c: 1, c: 2}",
        "2:11: error: b.c: duplicate key; the first is at 2:5, keep one",
    ),
    "duplicate mapping": (
        "a: {b: 1}\na: {b: 2}",
        "2:1: error: a: duplicate key; the first is at 1:1, keep one",
    ),
    "number as key": ("a: {1: x}", '1:5: error: a: the key 1 is not a string; quote it: "1"'),
    "boolean as key": ("true: x", '1:1: error: the key true is not a string; quote it: "true"'),
    "null as key": ("a: 1\n~: x", '2:1: error: the key ~ is not a string; quote it: "~"'),
    "010 as key": ("010: x", '1:1: error: the key 010 is not a string; quote it: "010"'),
    "no key": ("a:\n  : x", "2:3: error: the key before ':' is missing"),
    "no key after ?": ("a: {b: {? : x}}", "1:10: error: a.b: the key before ':' is missing"),
    "list as key": (
        "? [a]\n: c",
        "1:3: error: a key must be a string, and this is a list; quote it if it is text",
    ),
    "template": (
        "a: {{ x }}",
        "1:5: error: a key must be a string, and this is a mapping; quote it if it is text",
    ),
    "alias as key": ("a: &x b\n*x : c", "2:1: error: an alias cannot be a key; write the key out"),
    "anchor on a key": ("a:\n- &x b: 1", "2:3: error: a[0]: an anchor on a key; put it after the ':'"),
    "merge key": ("a: {<<: b}", "1:5: error: a: merge keys ('<<') are not supported; write the settings out"),
    "python tag": ("a: !!python/object/apply:os.system [ls]", f"1:4: error: a: {TAGS}"),
    "str tag": ("a: !!str 010", f"1:4: error: a: {TAGS}"),
    "local tag": ("a: &x !Linear {b: 1}", f"1:4: error: a: {TAGS}"),
    "bare tag": ("a: ! b", f"1:4: error: a: {TAGS}"),
    "tag on a key": ("!!str a: b", f"1:1: error: {TAGS}"),
    "tag on the root": ("!x {}", f"1:1: error: {TAGS}"),
    "malformed tag": ("a: !<x y", f"1:4: error: {TAGS}"),
    "unknown tag handle": ("a: !e!x y", f"1:4: error: {TAGS}"),
    "two documents": (
        "a: 1\n---\nb: 2",
        "2:1: error: a second document starts here; a config is one, so remove this '---'",
    ),
    "after the end": ("a: 1\n...\nb: 2", f"3:1: error: {EXPECTED_END}"),
    "YAML 1.1": ("%YAML 1.1\n---\na: 1", f"1:1: error: {DIRECTIVE}"),
    "endless version": ("%YAML 1." + "2" * 9999 + "\n---\na: 1", f"1:1: error: {DIRECTIVE}"),
    "tag directive": ("%TAG ! tag:x,2000:\n---\na: 1", f"1:1: error: {DIRECTIVE}"),
    "unknown directive": ("%FOO\n---\na: 1", f"1:1: error: {DIRECTIVE}"),
    "directive alone": ("%YAML 1.2\na: 1", f"2:1: error: {EXPECTED_END}"),
    "cyclic alias": ("a: &x [1, *x]", "1:11: error: a[1]: the alias '*x' stands inside its own anchor"),
    "cyclic root": ("&x\na: {b: *x}", "2:8: error: a.b: the alias '*x' stands inside its own anchor"),
    "unknown anchor": ("a: *x\nb: &x 1", "1:4: error: a: the alias '*x' has no anchor '&x' before it"),
    "empty": ("", "1:1: error: the config is empty"),
    "only comments": ("# a\n\n\t# b\n", "1:1: error: the config is empty"),
    "null": ("---\n~\n", "2:1: error: the config is empty"),
    "list on top": ("# a\n- b", "2:1: error: a config is a mapping ('key: value' lines), and this is a list"),
    "text on top": ("hello", "1:1: error: a config is a mapping ('key: value' lines), and this is a string"),
    "NUL": (
        "a: x\0",
        "1:5: error: the character U+0000 is not allowed; remove it, or write an escape in double quotes",
    ),
    "later BOM": (
        "\ufeffa: 1\r\n\ufeffb: 2",
        "2:1: error: the character U+FEFF is not allowed; remove it, or write an escape in double quotes",
    ),
    "latin-1": (
        "é: 1\nb: é".encode() + b"\xe9",
        "2:5: error: byte 0xE9 is not UTF-8; save the file as UTF-8",
    ),
    "latin-1 after a BOM": (
        b"\xef\xbb\xbfa: \xe9",
        "1:4: error: byte 0xE9 is not UTF-8; save the file as UTF-8",
    ),
    "UTF-16": ("a: 1".encode("utf-16"), "1:1: error: byte 0xFF is not UTF-8; save the file as UTF-8"),
    "surrogate": ("a: \ud800", "1:4: error: byte 0xED is not UTF-8; save the file as UTF-8"),
    "escaped surrogate": ('a: "x\\ud83d\\ude00"', f"1:4: error: a: {HALF}"),
    "surrogate in a key": ('"\\udc00": 1', f"1:1: error: {HALF}"),
    "past Unicode": ('a: "\\U00110000"', "1:7: error: no such character; the last is \\U0010FFFF"),
    "far past Unicode": ('a: "\\UFFFFFFFF"', "1:7: error: no such character; the last is \\U0010FFFF"),
    "tab indent": ("a:\n\tb: 1", "2:1: error: a tab cannot stand here; indent and separate with spaces"),
    "tab after colon": ("a:\tb", "1:3: error: a tab cannot stand here; indent and separate with spaces"),
    "glued": ("a: 1\nb:2\n\nc: 3", "2:2: error: a space is missing after this ':'"),
    "glued in item": ("a:\n  - type:Linear\n    p: 3", "2:9: error: a space is missing after this ':'"),
    "glued in braces": (
        "a: {type: Dropout, p:0.1}",
        "1:20: error: a: a space is missing after the ':' in p:0.1",
    ),
    "glued, last line": ("a: 1\nb:2", "2:2: error: a space is missing after this ':'"),
    "two colons": ("a: b: c", "1:5: error: a second ': ' in one line; quote the value if it holds this one"),
    "too deep": ("a: 1\n  b: 2", f"2:4: error: {TOO_DEEP}"),
    "between levels": ("a:\n    b: 1\n  c: 2", f"3:3: error: {MISFIT}"),
    "item among keys": ("a: 1\n- b", f"2:1: error: {MISFIT}"),
    "text after quote": ('a: "b" c', f"1:8: error: {MISFIT}"),
    "stray bracket": ("a: b\n]", f"2:1: error: {MISFIT}"),
    "no colon": ("a: 1\nfoo\nb: 2", "2:1: error: expected 'key: value' here"),
    "item after key": (
        "a: - b",
        "1:4: error: a list item cannot start here; put the '-' on a line of its own, below its key",
    ),
    "bracket as value": ("a: ]", "1:4: error: expected a value here; put text that begins so in quotes"),
    "percent": ("a: %x", "1:4: error: a plain value cannot start with '%'; put it in quotes"),
    "star": (
        "a: {match: *.bias}",
        "1:12: error: '*' starts an alias, as in '*name'; put text that begins with '*' in quotes",
    ),
    "ampersand": (
        "a: &",
        "1:4: error: '&' starts an anchor, as in '&name'; put text that begins with '&' in quotes",
    ),
    "block text": ("a: | b", f"1:4: error: {BLOCK}"),
    "open quote": ('a: "b\nc: d', "1:4: error: this quote is never closed"),
    "open single quote": ("a: 'b\n---\nc: d'", "1:4: error: this quote is never closed"),
    "backslash": (
        'a: "C:\\data"',
        "1:8: error: not an escape; write '\\\\' for a backslash, or put the text in single quotes",
    ),
    "short escape": (
        'a: "\\u12"',
        "1:7: error: expected escape sequence of 4 hexadecimal numbers, but found '\"'",
    ),
    "open list": ("a: [1, [2],", f"1:4: error: {BRACKET}"),
    "open mapping": ("a: {b: 1\n", f"1:4: error: {BRACKET}"),
    "open list, then key": (
        "a: [1\nb: 3",
        "2:2: error: expected ',' or ']' here; is the bracket of line 1 never closed?",
    ),
    "no comma": (
        'a: {b: "c" d}',
        "1:12: error: expected ',' or '}' here; is the bracket of line 1 never closed?",
    ),
    "two commas": ("a: [1, , 2]", "1:8: error: expected a value here"),
    "reference": ("a: {b: ${vars.c}}", "1:8: error: put '${...}' in quotes inside brackets"),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(text: str | bytes, message: str) -> None:
    assert refusal(text) == [f"f:{message}"]


def test_mistakes_are_told_at_once_up_to_a_syntax_error() -> None:
    assert refusal("a: 010\n2: *x\na: !t 1\n- b") == [
        "f:1:4: error: a: 010 starts with a zero; write 10, or 0o10 for octal, or quote it",
        'f:2:1: error: the key 2 is not a string; quote it: "2"',
        "f:2:4: error: 2: the alias '*x' has no anchor '&x' before it",
        "f:3:1: error: a: duplicate key; the first is at 1:1, keep one",
        f"f:3:4: error: a: {TAGS}",
        f"f:4:1: error: {MISFIT}",
    ]


def test_at_most_twenty_mistakes() -> None:
    assert refusal("a: 1\n" * 100) == [
        f"f:{line}:1: error: a: duplicate key; the first is at 1:1, keep one" for line in range(2, 22)
    ]


def test_the_caret_and_a_clipped_line() -> None:
    line = "  \u00e9: [\U0001f600, 010] # " + "x" * 300
    with pytest.raises(ConfigError) as caught:
        loads(f"ok: 1\r\n{line}\r\n", "f")
    assert str(caught.value) == f"f:2:4: error: {TOO_DEEP}\n    {line[:199]}…\n       ^"


def test_a_shown_line_carries_no_control_codes() -> None:
    with pytest.raises(ConfigError) as caught:
        loads("a: \x1b[31m", "f")
    assert caught.value.diagnostics[0].mark == Mark("f", 1, 4, "a: \ufffd[31m")


TEXT = "\ufeff# é\r\nmodel:\r\n  - {type: Linear, size: &s [1, {n: 2}]}\n  - ReLU\rloop: {lr: *s}\nnone:\n"
PLACES: dict[Path, tuple[int, int]] = {
    (): (2, 1),
    ("model",): (3, 3),
    ("model", 0): (3, 5),
    ("model", 0, "type"): (3, 12),
    ("model", 0, "size"): (3, 26),
    ("model", 0, "size", 0): (3, 30),
    ("model", 0, "size", 1): (3, 33),
    ("model", 0, "size", 1, "n"): (3, 37),
    ("model", 1): (4, 5),
    ("loop",): (5, 7),
    ("loop", "lr"): (3, 26),
    ("loop", "lr", 0): (3, 30),
    ("loop", "lr", 1): (3, 33),
    ("loop", "lr", 1, "n"): (3, 37),
    ("none",): (6, 6),
}
KEYS: dict[Path, tuple[int, int]] = {
    ("model",): (2, 1),
    ("model", 0, "type"): (3, 6),
    ("model", 0, "size"): (3, 20),
    ("model", 0, "size", 1, "n"): (3, 34),
    ("loop",): (5, 1),
    ("loop", "lr"): (5, 8),
    ("loop", "lr", 1, "n"): (3, 34),
    ("none",): (6, 1),
}


def test_every_value_and_key_has_its_place() -> None:
    document = loads(TEXT.encode(), "f")
    assert {path: (mark.line, mark.column) for path, mark in document.values.items()} == PLACES
    assert {path: (mark.line, mark.column) for path, mark in document.keys.items()} == KEYS
    assert document.values["model", 1] == Mark("f", 4, 5, "  - ReLU")


def test_mark_falls_back_to_what_is_around() -> None:
    document = loads("a: {b: 1}\nc: 2", "f")
    line = "a: {b: 1}"
    assert document.mark(("a", "b")) == Mark("f", 1, 8, line)
    assert document.mark(("a", "b"), key=True) == Mark("f", 1, 5, line)
    assert document.mark(("a", "x", 0)) == document.mark(("a", "x"), key=True) == Mark("f", 1, 4, line)
    assert document.mark(("x",)) == document.mark((), key=True) == Mark("f", 1, 1, line)
    assert Document({}, {}, {}).mark(("a",)) is None


def lists(levels: int, inner: str = "") -> str:
    return "[" * levels + inner + "]" * levels


DEEP = "nested more than 64 deep; a config is flatter"
MANY = "more than 10,000 keys and values, aliases expanded; a config is smaller"
BOMB = "x: &x0 [1, 1]\ny: [" + ", ".join(f"&x{n + 1} [*x{n}, *x{n}]" for n in range(25)) + "]"
LIMITS: dict[str, tuple[str, str, str]] = {
    "depth": (f"a: {lists(63)}", f"a: {lists(64)}", f"1:67: error: {DEEP}"),
    "depth through an alias": (
        f"a: &x {lists(40)}\nb: {lists(23, '*x')}",
        f"a: &x {lists(40)}\nb: {lists(24, '*x')}",
        f"2:28: error: {DEEP}",
    ),
    "nodes": (f"a: [{'1, ' * 9997}]", f"a: [{'1, ' * 9998}]", f"1:29996: error: {MANY}"),
    "nodes through aliases": (
        f"a: &x [{'1, ' * 399}]\nb: [{'*x, ' * 23}]",
        f"a: &x [{'1, ' * 399}]\nb: [{'*x, ' * 24}]",
        f"2:97: error: {MANY}",
    ),
    "billion laughs": ("a: 1", BOMB, f"2:172: error: {MANY}"),
    "aliases": (
        f"a: &x 1\nb: [{'*x, ' * 50}]",
        f"a: &x 1\nb: [{'*x, ' * 51}]",
        "2:205: error: more than 50 aliases; write some of them out",
    ),
    "lines": (
        "a: 1" + "\n" * 99_999,
        "a: 1" + "\n" * 100_000,
        "100001:1: error: more than 100,000 lines; a config is smaller",
    ),
    "bytes": (
        "a: 1" + " " * (2**20 - 4),
        "a: 1" + " " * (2**20 - 3),
        "1:1: error: larger than 1 MiB; a config is smaller",
    ),
    "bytes, not characters": (
        "# " + "é" * (2**19 - 9) + "\na: 1",
        "é" * 2**19 + "\n",
        "1:1: error: larger than 1 MiB; a config is smaller",
    ),
}


@pytest.mark.parametrize(("within", "beyond", "message"), LIMITS.values(), ids=LIMITS.keys())
def test_limits(within: str, beyond: str, message: str) -> None:
    assert loads(within, "f").data
    assert refusal(beyond) == [f"f:{message}"]


def test_each_use_of_an_alias_is_a_value_of_its_own_place() -> None:
    document = loads("a: &x {b: [1, {c: 2}]}\nd: [*x, *x]\ne: &x 3\nf: *x", "f")
    assert document.data == {"a": {"b": (1, {"c": 2})}, "d": ({"b": (1, {"c": 2})},) * 2, "e": 3, "f": 3}
    written = {path[1:]: mark for path, mark in document.values.items() if path[:1] == ("a",)}
    for use in (0, 1):
        assert {path[2:]: mark for path, mark in document.values.items() if path[:2] == ("d", use)} == written
        assert document.keys["d", use, "b", 1, "c"] == document.keys["a", "b", 1, "c"]
    assert document.values["f",] == document.values["e",]


# What comes first, then what is repeated to fill a mebibyte; "·" is a space, "↵" a line break.
HOSTILE = """
    …[ …{a:· …-· …?· …a:· …: …!a …&a· …* …*a:· …, …[], …[, …[a, …[&a·x,·*a, …a:· …" …"\\n …'' […"a·
    a:·…0 [a·…a· "…a· '…a· [a:·…a·↵ …↵ …·↵ …#↵ …%A↵ …...↵ …|↵ …-·↵ |…a· [[…]]
"""


@pytest.mark.parametrize("shape", HOSTILE.split())
def test_a_mebibyte_of_anything_is_refused(shape: str) -> None:
    head, unit = shape.replace("·", " ").replace("↵", "\n").split("…")
    assert len(refusal(head + unit * ((2**20 - 9) // len(unit)))) <= 20


def test_load_names_the_file_as_given(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: 1\r\n")
    assert load(file).values["a",] == Mark(str(file), 1, 4, "a: 1")
    assert load(str(file), "c.yaml").values["a",] == Mark("c.yaml", 1, 4, "a: 1")


def test_load_refuses_what_is_no_file(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("fifo")
    server = socket.socket(socket.AF_UNIX)
    server.bind("socket")
    server.close()
    pathlib.Path("loop").symlink_to("loop")
    pathlib.Path("big").write_bytes(b"#" * (2**20 + 1))
    for path, message in {
        "none.yaml": "none.yaml: no such file",
        ".": ".: is a directory, not a file",
        "fifo": "fifo: is not a regular file",
        "socket": "socket: is not a regular file",
        "/dev/zero": "/dev/zero: is not a regular file",
        "big/c.yaml": "big/c.yaml: cannot be read: Not a directory",
        "loop": "loop: cannot be read: Too many levels of symbolic links",
        "a\0b": "a\ufffdb: cannot be read: embedded null byte",
        "big": "big:1:1: error: larger than 1 MiB; a config is smaller",
    }.items():
        with pytest.raises(ConfigError) as caught:
            load(path)
        assert caught.value.exit_code == 2
        assert str(caught.value).removeprefix("error: ") == message


PIECES = [
    "a",
    "b: ",
    "c:",
    "- ",
    "-",
    "\n",
    "\n  ",
    " ",
    "[",
    "]",
    "{",
    "}",
    ",",
    '"',
    "'",
    "#",
    "&x ",
    "*x",
    "!",
    "|",
    ">",
]
PIECES += [
    "? ",
    ": ",
    "%",
    "\\",
    "\\x",
    "\\uD800",
    "010",
    "1e3",
    "~",
    "---",
    "...",
    "\r\n",
    "\r",
    "é",
    "\ufeff",
    "<<",
    "${",
]
PIECES += ["d: 1\n", "e: [1, 2]\n", "\0", "\t"]


def plain_pyyaml(node: pyyaml.Node) -> Value:
    """The same data by PyYAML's own scanner and composer, with our scalars."""
    if isinstance(node, pyyaml.ScalarNode):
        return node.value if node.style else scalar(node.value)
    if isinstance(node, pyyaml.SequenceNode):
        return tuple(plain_pyyaml(item) for item in node.value)
    return {key.value: plain_pyyaml(item) for key, item in node.value}


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join), st.booleans())
def test_any_text_is_read_as_pyyaml_reads_it_or_refused(text: str, in_mapping: bool) -> None:
    text = f"f: {text}" if in_mapping else text
    try:
        document = loads(text, "f")
    except ConfigError as error:
        for diagnostic in error.diagnostics:
            assert diagnostic.mark
            assert str(diagnostic).encode()
        return
    # At the end of a line we forgive tabs, which PyYAML does not; so within quotes a tab counts as a space here.
    node = pyyaml.compose(text.replace("\t", " "), Loader=pyyaml.BaseLoader)
    assert node
    ours, theirs = (repr(data).replace("\\t", " ") for data in (document.data, plain_pyyaml(node)))
    assert ours == theirs
