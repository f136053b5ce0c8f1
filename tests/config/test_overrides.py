"""Overrides: where they land, what they create, where they are marked, and what they refuse."""

from __future__ import annotations

import copy

import pytest

from declnet.config.document import Document, Value
from declnet.config.overrides import apply
from declnet.config.yaml import loads
from declnet.errors import Mark

TEXT = """\
seed: 7
vars:
model:
  - {name: encoder, type: Sequential, layers: [{type: Linear, out_features: 8}, ReLU]}
  - Dropout
  - {type: Linear, out_features: 2}
optimizer: &o {type: SGD, betas: [0.9, 0.99]}
copy: *o
empty: []
"""


@pytest.fixture
def document() -> Document:
    return loads(TEXT, "f")


def at(data: Value, path: str) -> Value:
    for part in path.split("."):
        data = data[part] if isinstance(data, dict) else data[int(part)]  # type: ignore[index]  # a test's own path
    return data


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("seed=8", "seed", 8),
        ("seed=", "seed", None),
        ("seed=~ # no", "seed", None),
        ("name=a=b", "name", "a=b"),
        ("name='010'", "name", "010"),
        ("name=no", "name", "no"),
        ("name=${vars.x}", "name", "${vars.x}"),
        ("name= spaced out ", "name", "spaced out"),
        ("name=---", "name", "---"),
        ("name=a: b", "name", {"a": "b"}),
        ("name=[&x {a: 1}, *x]", "name", ({"a": 1}, {"a": 1})),
        ("optimizer.lr=1e-2", "optimizer", {"type": "SGD", "betas": (0.9, 0.99), "lr": 0.01}),
        ("optimizer.betas.1=0.5", "optimizer.betas", (0.9, 0.5)),
        ("optimizer.betas[0]=0.5", "optimizer.betas", (0.5, 0.99)),
        ("optimizer={type: Adam}", "optimizer", {"type": "Adam"}),
        ("loop.early.patience=3", "loop", {"early": {"patience": 3}}),
        ("loop.metrics=[accuracy, {type: F1}]", "loop", {"metrics": ("accuracy", {"type": "F1"})}),
        ("vars.width=3", "vars", {"width": 3}),
        ("vars.0=a", "vars", {"0": "a"}),
        (
            "model.encoder.layers.0.out_features=64",
            "model.0.layers.0",
            {"type": "Linear", "out_features": 64},
        ),
        (
            "model[0].layers[0].bias=false",
            "model.0.layers.0",
            {"type": "Linear", "out_features": 8, "bias": False},
        ),
        ("model.encoder.layers.1.inplace=true", "model.0.layers.1", {"type": "ReLU", "inplace": True}),
        ("model.1.p=0.1", "model.1", {"type": "Dropout", "p": 0.1}),
        ("model.1=ReLU", "model.1", "ReLU"),
        ("model.encoder=ReLU", "model.0", "ReLU"),
    ],
)
def test_value(document: Document, override: str, path: str, value: Value) -> None:
    before = copy.deepcopy(document)
    assert repr(at(apply(document, [override]).data, path)) == repr(value)
    assert document == before


def test_only_the_path_named_changes(document: Document) -> None:
    changed = apply(document, ["optimizer.betas.0=0.5", "model.encoder.layers.0.out_features=64"])
    assert changed.data["copy"] is document.data["copy"]
    assert list(changed.data) == list(document.data)
    assert changed.data | document.data == document.data


def test_later_overrides_win_and_build_on_earlier_ones(document: Document) -> None:
    changed = apply(
        document,
        ["loop.epochs=1", "loop={epochs: 2}", "loop.epochs=3", "model.1.name=drop", "model.drop.p=0"],
    )
    assert changed.data["loop"] == {"epochs": 3}
    assert at(changed.data, "model.1") == {"type": "Dropout", "name": "drop", "p": 0}
    assert apply(document, []) == document


def test_marks(document: Document) -> None:
    arguments = ["seed=1", "loop.early.stop= [1, {on: x}]", "model.encoder.layers[1].p=2"]
    changed = apply(document, arguments)
    loop = [Mark("<command line>", 2, column, arguments[1]) for column in range(40)]
    assert changed.mark(("loop",)) == changed.mark(("loop",), key=True) == loop[1]
    assert changed.mark(("loop", "early")) == changed.mark(("loop", "early"), key=True) == loop[6]
    assert changed.mark(("loop", "early", "stop"), key=True) == loop[12]
    assert changed.mark(("loop", "early", "stop")) == loop[18]
    assert changed.mark(("loop", "early", "stop", 1, "on"), key=True) == loop[23]
    assert changed.mark(("loop", "early", "stop", 1, "on")) == loop[27]
    relu = ("model", 0, "layers", 1)
    assert changed.mark((*relu, "p")) == Mark("<command line>", 3, 27, arguments[2])
    assert changed.mark((*relu, "p"), key=True) == Mark("<command line>", 3, 25, arguments[2])
    assert changed.mark(relu) == changed.mark((*relu, "type")) == document.mark(relu)
    assert changed.mark(("model",), key=True) == document.mark(("model",), key=True)
    assert changed.mark(("seed",)) == Mark("<command line>", 1, 6, "seed=1")


def test_a_replaced_value_leaves_no_marks_behind(document: Document) -> None:
    changed = apply(document, ["optimizer=", "model=[ReLU]"])
    assert [path for path in (*changed.values, *changed.keys) if path[0:1] == ("optimizer",)] == [
        ("optimizer",)
    ] * 2
    assert [path for path in changed.values if path[0:1] == ("model",)] == [("model",), ("model", 0)]


ODD = "is not allowed; remove it, or write an escape in double quotes"
WAY = "write it as key.path=value"
REFUSED = {
    "seed": f"1: error: 'seed' is no setting; {WAY}",
    "": f"1: error: '' is no setting; {WAY}",
    "x" * 50: f"1: error: '{'x' * 39}…' is no setting; {WAY}",
    "=1": "1: error: a part of the path is missing here",
    "a.=1": "3: error: a part of the path is missing here",
    ".a=1": "1: error: a part of the path is missing here",
    "a..b=1": "3: error: a part of the path is missing here",
    "model[x].p=1": "1: error: write the item of a list as name[0]",
    "a.model[0]p=1": "3: error: write the item of a list as name[0]",
    "[0]=1": "1: error: write the item of a list as name[0]",
    "model.3.p=1": "7: error: model: there is no item 3; the indices are 0 to 2",
    "model[-1]=1": "6: error: model: there is no item -1; the indices are 0 to 2",
    "model.-1=1": "7: error: model: there is no item -1; the indices are 0 to 2",
    "empty.0=1": "7: error: empty: there is no item 0; the list is empty",
    "empty.a=1": "7: error: empty: no item is named 'a'; no item has a name, and the list is empty",
    "model.decoder.p=1": "7: error: model: no item is named 'decoder'; the names are 'encoder'",
    "model.encoder.layers.a=1": (
        "22: error: model[0].layers: no item is named 'a'; no item has a name, and the indices are 0 to 1"
    ),
    "model.99999999999=1": "7: error: model: no item is named '99999999999'; the names are 'encoder'",
    "optimizer[0]=1": "10: error: optimizer: this is no list, so it has no item [0]",
    "vars[0]=1": "5: error: vars: this is no list, so it has no item [0]",
    "loop.metrics[0]=1": "13: error: loop.metrics: this is no list, so it has no item [0]",
    "seed.x=1": "6: error: seed: this is an integer; nothing can be set inside it",
    "optimizer.type.x=1": "16: error: optimizer.type: this is a string; nothing can be set inside it",
    "optimizer.betas.0.x=1": "19: error: optimizer.betas[0]: this is a number; nothing can be set inside it",
    "seed=010": "6: error: seed: 010 starts with a zero; write 10, or 0o10 for octal, or quote it",
    "model.0.p=[1": "11: error: this bracket is never closed",
    "model.0.p={a: 1, a: 2}": "18: error: model[0].p.a: duplicate key; the first is at 1:12, keep one",
    "seed=*.bias": "6: error: '*' starts an alias, as in '*name'; put text that begins with '*' in quotes",
    "seed=1\0": f"7: error: the character U+0000 {ODD}",
    "s\udcff=1": f"2: error: the character U+DCFF {ODD}",
    "a" + ".a" * 64 + "=1": "129: error: nested more than 64 deep; a config is flatter",
    "a" + ".a" * 99_999 + "=1": "129: error: nested more than 64 deep; a config is flatter",
    "a" + ".a" * 62 + "=[[1]]": "128: error: nested more than 64 deep; a config is flatter",
}


@pytest.mark.parametrize(("override", "message"), REFUSED.items(), ids=[key[:30] for key in REFUSED])
def test_refused(document: Document, override: str, message: str) -> None:
    changed = apply(document, [override])
    assert [diagnostic.headline for diagnostic in changed.problems] == [f"<command line>:1:{message}"]
    assert changed.data == document.data


ALL = """\
<command line>:2:6: error: seed: this is an integer; nothing can be set inside it
    seed.x=1
         ^
<command line>:3:7: error: model: there is no item 5; the indices are 0 to 2
    model.5=2
          ^
<command line>:4:10: error: name.a: 010 starts with a zero; write 10, or 0o10 for octal, or quote it
    name={a: 010, a: 1}
             ^
<command line>:4:15: error: name.a: duplicate key; the first is at 4:7, keep one
    name={a: 010, a: 1}
                  ^"""


def test_all_mistakes_are_told_at_once_with_a_caret(document: Document) -> None:
    changed = apply(document, ["seed=1", "seed.x=1", "model.5=2", "name={a: 010, a: 1}"])
    assert "\n".join(map(str, changed.problems)) == ALL
    assert changed.data["seed"] == 1


def test_deep_paths_and_values_within_the_limit(document: Document) -> None:
    changed = apply(document, ["a" + ".a" * 62 + "=[1]"])
    assert max(map(len, changed.values)) == 64
