"""`vars` and `${...}`: what they stand for, where a value comes from, and what is refused."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from declnet.config.document import Document, Value
from declnet.config.references import LONGEST, resolve
from declnet.config.yaml import loads
from declnet.errors import ConfigError, DataError, Mark, Origin
from declnet.runner.experiment import load

TEXT = """\
vars: {width: 64, lr: 1e-3, on: true, none: null, text: digits, betas: [0.9, 0.99], opt: {type: SGD, lr: 2}}
seed: 7
model:
  - {type: Linear, out_features: 8, name: first}
  - ReLU
value: """


def resolved(value: str, more: str = "") -> Document:
    return resolve(loads(f"{TEXT}{value}\n{more}", "f"))


VALUES: dict[str, Value] = {
    "${vars.width}": 64,
    "${ vars.width }": 64,
    '"${vars.lr}"': 0.001,
    "${vars.on}": True,
    "${vars.none}": None,
    "${vars.text}": "digits",
    "${vars.betas}": (0.9, 0.99),
    "${vars.betas[1]}": 0.99,
    "${vars.betas.1}": 0.99,
    "${vars.opt}": {"type": "SGD", "lr": 2},
    "${seed}": 7,
    "${model[0].out_features}": 8,
    "${model.first.out_features}": 8,
    "${model.1}": "ReLU",
    "${model}": ({"type": "Linear", "out_features": 8, "name": "first"}, "ReLU"),
    "a-${vars.text}-${vars.width}": "a-digits-64",
    "${vars.text}${vars.lr}": "digits0.001",
    "${vars.on} ${vars.none}": "true null",
    "$${vars.width}": "${vars.width}",
    "$${ and ${seed}": "${ and 7",
    "a $ b {c} $d": "a $ b {c} $d",
    '["${seed}", {a: "${vars.opt.lr}"}]': (7, {"a": 2}),
}


@pytest.mark.parametrize(("text", "value"), VALUES.items())
def test_values(text: str, value: Value) -> None:
    document = resolved(text)
    found = document.data["value"]
    assert found == value
    assert type(found) is type(value)
    assert "vars" not in document.data
    assert all(path[:1] != ("vars",) for path in (*document.values, *document.keys))
    assert document.broken == frozenset()


def test_references_within_what_is_referred_to() -> None:
    document = resolved("${a.b}", "a: ${c}\nc: {b: ['${vars.width}', '${d}']}\nd: ${e}\ne: ${seed}")
    assert document.data["value"] == (64, 7)
    assert document.data["a"] == {"b": (64, 7)}


def test_marks() -> None:
    """The place of the reference, with the one that the value really has; inside the value its own places."""
    document = resolved("${a}", "a: ${b}\nb: {c: [1, 2]}")
    line = "value: ${a}"
    assert document.mark(("value",)) == Mark("f", 6, 8, line, Origin(("b",), "f", 8, 4))
    assert document.mark(("value", "c", 1)) == document.mark(("b", "c", 1)) == Mark("f", 8, 12, "b: {c: [1, 2]}")
    assert document.mark(("value", "c"), key=True) == document.mark(("b", "c"), key=True)
    text = resolved("x-${vars.width}").mark(("value",))
    assert text is not None
    assert text.origin is None


def said(text: str) -> list[str]:
    """The messages about a text, without the warnings about the definitions that this test does not need."""
    problems = resolved(*text.split("\n", 1)).problems
    return [item.headline.removeprefix("f:") for item in problems if item.severity == "error"]


REFUSED = {
    "${vars.widht}": ["6:8: error: value: '${vars.widht}' leads nowhere: "
                      "the file says nothing of vars.widht; did you mean 'width'?"],
    "${nope}": ["6:8: error: value: '${nope}' leads nowhere: the file says nothing of nope; "
                "there is vars, seed, model and value"],
    "${}": ["6:8: error: value: '${}' leads nowhere: a part of the path is missing here"],
    "${vars..a}": ["6:8: error: value: '${vars..a}' leads nowhere: a part of the path is missing here"],
    "${vars.betas.2}": ["6:8: error: value: '${vars.betas.2}' leads nowhere: there is no item 2; "
                        "the indices are 0 to 1"],
    "${model.second}": ["6:8: error: value: '${model.second}' leads nowhere: no item is named 'second'; "
                        "the names are 'first'"],
    "${seed.x}": ["6:8: error: value: '${seed.x}' leads nowhere: seed is an integer, which has no item x"],
    "${vars[0]}": ["6:8: error: value: '${vars[0]}' leads nowhere: vars is a mapping, which has no item 0"],
    "x ${vars.opt}": ["6:8: error: value: '${vars.opt}' is a mapping, which cannot stand within a text"],
    "x ${vars.betas}": ["6:8: error: value: '${vars.betas}' is a list, which cannot stand within a text"],
    "x ${seed": ["6:8: error: value: this '${' has no '}'; write $${ where no reference is meant"],
    "${value}": ["6:8: error: value: '${value}' leads back to itself"],
    "[1, '${value}']": ["6:12: error: value[1]: '${value}' leads back to itself"],
    "${value.x}": ["6:8: error: value: '${value.x}' leads back to itself"],
    "${a}\na: ${b}\nb: ${a}": ["8:4: error: b: '${a}' leads back to itself",
                               "7:4: error: a: '${b}' leads back to itself"],
    "${a.b}\na: {b: '${a}'}": ["7:8: error: a.b: '${a}' leads back to itself"],
    "x ${b}\nb: y ${b}": ["7:4: error: b: '${b}' leads back to itself"],
    "['${a}', '${a}', '${b}']\na: ${nope}\nb: '${a}'": [
        "7:4: error: a: '${nope}' leads nowhere: the file says nothing of nope; "
        "there is vars, seed, model, value, a and b"],
}  # fmt: skip


@pytest.mark.parametrize(("text", "messages"), REFUSED.items())
def test_refused(text: str, messages: list[str]) -> None:
    """Each once, where it is written, however often it is read."""
    assert said(text) == messages


def test_vars_is_a_mapping() -> None:
    document = resolve(loads("vars: [1]\nseed: 7", "f"))
    assert [item.headline for item in document.problems] == [
        "f:1:7: error: vars: expected a mapping from names to values, got a list"
    ]


BOMBS = {
    "a wide one": ["a0: [0, 0]", *(f"a{n}: ['${{vars.a{n - 1}}}', '${{vars.a{n - 1}}}']" for n in range(1, 30))],
    "a deep one": ["a0: [0]", *(f"a{n}: ['${{vars.a{n - 1}}}']" for n in range(1, 70))],
    "a long text": [f"a0: {'x' * 300}", *(f"a{n}: " + f"${{vars.a{n - 1}}}" * 40 for n in range(1, 4))],
    "a long way": ["a0: 0", *(f"a{n}: ${{vars.a{n - 1}}}" for n in range(1, 400))],
}
NODES = "more than 10,000 keys and values, references replaced; a config is smaller"
BOUNDS = {
    "a wide one": NODES,
    "a deep one": "nested more than 64 deep; a config is flatter",
    "a long text": f"more than {LONGEST:,} characters, references replaced",
    "a long way": NODES,
}


@pytest.mark.parametrize("name", BOMBS)
def test_limits(name: str) -> None:
    document = loads("vars:\n  " + "\n  ".join(BOMBS[name]), "f")
    start = time.process_time()
    try:
        messages = [item.message for item in resolve(document).problems]
    except ConfigError as error:
        messages = [item.message for item in error.diagnostics]
    assert BOUNDS[name] in messages
    assert time.process_time() - start < 5, "not in the time that the bomb wants"


CONFIG = """\
name: r
vars: {width: 64, lr: 1e-2}
data: {source: Digits}
model:
  - {type: Linear, out_features: "${vars.width}"}
  - ReLU
  - {type: Linear, out_features: 10}
loss: CrossEntropyLoss
optimizer: {type: AdamW, lr: "${vars.lr}"}
"""


def messages(text: str, *overrides: str) -> list[str]:
    Path("f.yaml").write_text(text, encoding="utf-8")
    with pytest.raises((ConfigError, DataError)) as caught:
        load("f.yaml", overrides)
    return [item.headline for item in caught.value.diagnostics]


def test_a_config(folder: Path) -> None:
    Path("f.yaml").write_text(CONFIG, encoding="utf-8")
    plain = load("f.yaml").config
    assert plain.optimizer.optimizer.lr == 0.01
    assert plain == load("f.yaml", ["vars.width=64", "vars.lr=0.01"]).config
    assert load("f.yaml", ["vars.width=3"]).config == load("f.yaml", ["model[0].out_features=3"]).config
    assert (
        load("f.yaml", ["seed=3", "vars.width=${seed}"]).config.model[0]
        == load("f.yaml", ["vars.width=3"]).config.model[0]
    )


def test_a_wrong_value_is_shown_where_it_is_read_and_where_it_comes_from(folder: Path) -> None:
    assert messages(CONFIG.replace("64", "-1")) == [
        "f.yaml:5:34: error: model[0].out_features: must be greater than 0, got -1 (from vars.width, f.yaml:2:15)"
    ]
    assert messages(CONFIG, "vars.width=no", "vars.lr=[1]") == [
        "f.yaml:5:34: error: model[0].out_features: expected a whole number, got 'no' "
        "(from vars.width, <command line>:1:12)",
        "f.yaml:9:30: error: optimizer.lr: expected a number, got [1] (from vars.lr, <command line>:2:9)",
    ]
    assert messages(CONFIG.replace("10}", '10, in_features: "${vars.lr}"}').replace("1e-2", "60")) == [
        "f.yaml:7:51: error: model[2].in_features: Linear takes 60 features but its input has 64 (from model[1]) "
        "(from vars.lr, f.yaml:2:23)"
    ]


def test_all_mistakes_at_once(folder: Path) -> None:
    """What a wrong reference leaves unknown is no second mistake, and hides none."""
    text = CONFIG.replace("vars.width}", "vars.with}").replace("ReLU", "Relu").replace("vars.lr}", "var.lr}")
    assert messages(text, "seed=${vars.nope}", "loop.metrics=['${vars.nope}']", "loop.epoch=1") == [
        "f.yaml:5:34: error: model[0].out_features: '${vars.with}' leads nowhere: the file says nothing of "
        "vars.with; did you mean 'width'?",
        "f.yaml:6:5: error: model[1].type: unknown component 'Relu'; did you mean 'ReLU'?",
        "f.yaml:9:30: error: optimizer.lr: '${var.lr}' leads nowhere: the file says nothing of var; "
        "did you mean 'vars'?",
        "<command line>:1:6: error: seed: '${vars.nope}' leads nowhere: the file says nothing of vars.nope; "
        "there is width and lr",
        "<command line>:2:15: error: loop.metrics[0]: '${vars.nope}' leads nowhere: the file says nothing of "
        "vars.nope; there is width and lr",
        "<command line>:3:6: error: loop.epoch: unknown key 'epoch'; did you mean 'epochs'?",
    ]


def test_what_nothing_reads_is_a_warning(folder: Path) -> None:
    Path("f.yaml").write_text(CONFIG.replace("lr: 1e-2", "lr: 1e-2, odd: 1"), encoding="utf-8")
    experiment = load("f.yaml", ["vars.widht=3"])
    assert [item.headline for item in experiment.warnings] == [
        "f.yaml:2:29: warning: vars.odd: nothing reads it; "
        "write ${vars.odd} where its value is meant, or remove it",
        "<command line>:1:6: warning: vars.widht: nothing reads it; "
        "write ${vars.widht} where its value is meant, or remove it",
    ]
    with pytest.raises(ConfigError):
        load("f.yaml", strict=True)


def test_a_path_is_relative_to_the_file_it_is_written_in(folder: Path) -> None:
    (folder / "sub").mkdir()
    for place, text in (("sub/d.csv", "a,b\n1,2\n"), ("d.csv", "a\n1\n")):
        Path(place).write_text(text, encoding="utf-8")
    data = "{source: {type: CSV, path: '${vars.p}'}, inputs: [a], targets: [b]}"
    rest = "model: [{type: Linear, out_features: 1}]\nloss: MSELoss\noptimizer: SGD\n"
    Path("sub/f.yaml").write_text(f"vars: {{p: d.csv}}\ndata: {data}\n{rest}", encoding="utf-8")
    assert load("sub/f.yaml").inputs.keys() == {"x"}
    with pytest.raises(ConfigError, match="no column"):
        load("sub/f.yaml", ["vars.p=d.csv"])
