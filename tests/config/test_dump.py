"""The writer: its style, and that the loader reads back exactly what was written."""

from __future__ import annotations

import enum
import math
import re

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from declnet.config.document import UNPRINTABLE
from declnet.config.dump import dump
from declnet.config.yaml import loads

EXAMPLE = {
    "name": "digits",
    "seed": None,
    "betas": [0.9, 0.999],
    "shape": (),
    "none": {},
    "lr": 1e-05,
    "bounds": [1.0, -math.inf, math.nan, 1e22, -0.0],
    "model": [
        {"type": "Linear", "out_features": 64, "init": ["a", None], "empty": {}},
        "ReLU",
        {"type": "Linear", "init": {"type": "Normal", "std": 0.02}},
        {"type": "Sequential", "layers": [{"type": "Linear", "out_features": 8}, "ReLU"]},
        {"note": "x" * 100},
        [[1, 2], [3]],
        {},
    ],
    "groups": [{"match": "*.bias", "lr": "${vars.lr}", "on": True}],
    "loop": {"epochs": 3, "path": "${vars.path}/a b: c", "log": "a\nb\tc", "when": "a:b"},
}
EXPECTED = f"""\
# written by declnet
#
# for digits
name: digits
seed: null
betas: [0.9, 0.999]
shape: []
none: {{}}
lr: 1e-05
bounds: [1.0, -.inf, .nan, 1e+22, -0.0]
model:
  - {{type: Linear, out_features: 64, init: [a, null], empty: {{}}}}
  - ReLU
  - type: Linear
    init:
      type: Normal
      std: 0.02
  - type: Sequential
    layers:
      - {{type: Linear, out_features: 8}}
      - ReLU
  - note: {"x" * 100}
  - - [1, 2]
    - [3]
  - {{}}
groups:
  - {{match: "*.bias", lr: "${{vars.lr}}", on: true}}
loop:
  epochs: 3
  path: "${{vars.path}}/a b: c"
  log: "a\\nb\\tc"
  when: a:b
"""


def test_style() -> None:
    assert dump(EXAMPLE, "written by declnet\n\nfor digits") == EXPECTED
    assert repr(loads(EXPECTED, "f").data) == repr(loads(dump(loads(EXPECTED, "f").data), "f").data)
    assert dump({}) == "{}\n"


@pytest.mark.parametrize("width", [100, 101])
def test_a_mapping_in_a_list_is_short_up_to_100_columns(width: int) -> None:
    line = f"  - {{type: A, note: {'x' * (width - 21)}}}"
    assert len(line) == width
    assert (line in dump({"m": [{"type": "A", "note": "x" * (width - 21)}]})) is (width == 100)


PLAIN = "no yes -a a#b = a:b ._ -x 12:30 é 😀 a,b a[0] ${a} 1,2 a?b a|b a\\b C:\\d"
QUOTED = """~ null true .inf .NaN 1 1.0 1e3 010 0x1f 0o7 99999999999999999999 1e999 - -- ? ?a : a: :a #
    [ ] { } , ! &a * | > % @ ` ' " "a" << --- ... ...a .5 -1 \u2028 \ufeff \x7f \x85 \0 \x1b"""


@pytest.mark.parametrize("text", PLAIN.split())
def test_a_string_is_plain_where_it_can_be(text: str) -> None:
    assert dump({text: text, "b": text}) == f"{text}: {text}\nb: {text}\n"


@pytest.mark.parametrize(
    "text", [*re.split(" +\n? *", QUOTED), "", " ", " a", "a ", "a #b", "a: b", "a\r", "a\nb", "\t"]
)
def test_a_string_is_quoted_where_it_must_be(text: str) -> None:
    assert re.fullmatch('a: ".*"\n', dump({"a": text}))


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (10**19, ValueError, "a config cannot hold an integer of more than 19 digits"),
        (object(), TypeError, "a config cannot hold a value of type object"),
        ({1: 2}, TypeError, "a config cannot hold a value of type int"),
        (np.float32(1), TypeError, "a config cannot hold a value of type float32"),
    ],
)
def test_what_a_config_cannot_hold(value: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        dump({"a": [value]})
    assert str(caught.value) == message


def test_half_a_character_cannot_be_written() -> None:
    with pytest.raises(UnicodeEncodeError):
        dump({"a": "\ud800"})


def test_subclasses_are_written_as_what_they_are() -> None:
    class Mode(str, enum.Enum):  # noqa: UP042 - the older form has a str() of its own
        FAST = "fast"

    class Count(enum.IntEnum):
        TWO = 2

    assert dump({"a": Mode.FAST, "b": Count.TWO, "c": np.float64(0.5)}) == "a: fast\nb: 2\nc: 0.5\n"


@pytest.mark.parametrize("length", [999, 1000, 1024, 5000])
def test_a_long_key_is_found_again(length: int) -> None:
    data = {"a": {"x" * length: 1, "y " * length: {"z": ({"b" * length: "c"},)}}}
    assert loads(dump(data), "f").data == data


def test_a_header_cannot_break_out_of_its_comment() -> None:
    assert dump({"a": 1}, "x\r\ny\u2028z\x1b\0") == "# x\n# y\ufffdz\ufffd\ufffd\na: 1\n"


texts = st.text() | st.text(" -:#?[]{},'\"\\\n\t&*!|>%@`~.0123456789eExo+_<=é\u2028\ufeff", max_size=6)
scalars = st.none() | st.booleans() | st.floats() | st.integers(-(10**19) + 1, 10**19 - 1) | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4).map(tuple) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(texts, values, min_size=1), st.none() | st.text())
@example({"a": ({"b": ({}, ()), "c": (((),),)},)}, None)
@example({"A:0,": None}, None)
@example({"--- a": "--- b", "... a": "- b", "": {"": ("",)}}, "%YAML 1.1\n---")
def test_round_trip(data: dict[str, object], header: str | None) -> None:
    text = dump(data, header)
    assert not UNPRINTABLE.search(text)
    # repr tells 1 from 1.0 and True, 0.0 from -0.0, and has all bits of a float.
    assert repr(loads(text, "f").data) == repr(data)
