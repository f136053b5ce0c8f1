"""`extends`: what is merged, what is replaced, where values are marked, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from declnet.config.document import Document
from declnet.config.extends import load
from declnet.errors import ConfigError
from declnet.runner.experiment import load as load_experiment

BASE = """\
name: base
seed: 3
vars: {width: 64, depth: 2}
data: {source: Digits}
model:
  - {type: Linear, out_features: "${vars.width}"}
  - ReLU
  - {type: Linear, out_features: 10}
loss: CrossEntropyLoss
optimizer: {type: AdamW, lr: 1e-3, betas: [0.9, 0.99]}
loop: {epochs: 3, metrics: [accuracy]}
"""


def write(name: str, text: str) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(text, encoding="utf-8")


def merged(text: str, base: str = BASE) -> Document:
    write("base.yaml", base)
    write("c.yaml", f"extends: base.yaml\n{text}")
    return load("c.yaml")


def test_mappings_are_merged_and_the_rest_is_replaced(folder: Path) -> None:
    data = merged("seed: 4\nvars: {width: 8}\nloop: {epochs: 5, metrics: []}\nmodel: [Tanh]\n").data
    assert data == {
        "name": "base",
        "seed": 4,
        "vars": {"width": 8, "depth": 2},
        "data": {"source": "Digits"},
        "model": ("Tanh",),
        "loss": "CrossEntropyLoss",
        "optimizer": {"type": "AdamW", "lr": 0.001, "betas": (0.9, 0.99)},
        "loop": {"epochs": 5, "metrics": ()},
    }


@pytest.mark.parametrize(
    ("base", "text", "result"),
    [
        ("{type: SGD, lr: 1}", "{momentum: 0.5}", {"type": "SGD", "lr": 1, "momentum": 0.5}),
        ("{type: SGD, lr: 1}", "{type: SGD, momentum: 0.5}", {"type": "SGD", "lr": 1, "momentum": 0.5}),
        ("{type: SGD, lr: 1}", "{type: Adam, eps: 1}", {"type": "Adam", "eps": 1}),
        ("{type: SGD, lr: 1}", "Adam", "Adam"),
        ("SGD", "{lr: 1}", {"type": "SGD", "lr": 1}),
        ("SGD", "{type: Adam}", {"type": "Adam"}),
        ("{lr: 1}", "{type: Adam}", {"type": "Adam", "lr": 1}),
        ("{type: SGD, lr: 1}", "null", None),
    ],
)
def test_a_component(folder: Path, base: str, text: str, result: object) -> None:
    """Of the same type, its arguments are merged; another one takes its place."""
    assert merged(f"optimizer: {text}\n", f"optimizer: {base}\n").data["optimizer"] == result


def test_marks(folder: Path) -> None:
    """Each value has the place where it is written; a merged mapping that of the file that extends."""
    document = merged("loop:\n  epochs: 5\nmodel: [Tanh]\noptimizer: {lr: 2}\n")
    places = {path: (mark.file, mark.line, mark.column) for path, mark in document.values.items()}
    assert places["loop",] == ("c.yaml", 3, 3)
    assert places["loop", "epochs"] == ("c.yaml", 3, 11)
    assert places["loop", "metrics", 0] == ("base.yaml", 11, 29)
    assert places["optimizer", "betas", 1] == ("base.yaml", 10, 49)
    assert [path for path in places if path[:1] == ("model",)] == [("model",), ("model", 0)]
    assert document.keys["loop",].file == "c.yaml"
    assert document.keys["loop", "metrics"].file == "base.yaml"


def test_several_in_a_row_each_relative_to_its_own_file(folder: Path) -> None:
    write("bases/low.yaml", BASE)
    write("bases/mid.yaml", "extends: low.yaml\nseed: 4\nname: mid\n")
    write("c.yaml", "extends: bases/mid.yaml\nname: top\n")
    data = load("c.yaml").data
    assert (data["name"], data["seed"], data["loss"]) == ("top", 4, "CrossEntropyLoss")
    write("d.yaml", f"extends: {folder / 'bases' / 'mid.yaml'}\n")
    assert load("d.yaml").data["name"] == "mid"


def test_a_data_file_is_relative_to_the_file_that_names_it(folder: Path) -> None:
    write("base/d.csv", "a,b\n1,2\n")
    source = "data: {source: {type: CSV, path: d.csv}, inputs: [a], targets: [b]}\n"
    write("base/low.yaml", f"{source}model: [{{type: Linear, out_features: 1}}]\nloss: MSELoss\noptimizer: SGD\n")
    write("c.yaml", "extends: base/low.yaml\nname: c\n")
    assert load_experiment("c.yaml").inputs.keys() == {"x"}


def test_a_whole_config(folder: Path) -> None:
    merged("vars: {width: 8}\noptimizer: {lr: 1e-2}\n")
    found = load_experiment("c.yaml", ["vars.depth=1", "loop.epochs=1"])
    expected = (
        BASE.replace("width: 64, depth: 2", "width: 8").replace("1e-3", "1e-2").replace("epochs: 3", "epochs: 1")
    )
    write("whole.yaml", expected)
    assert found.config == load_experiment("whole.yaml").config
    # Only what the file and the command line define themselves has to be read.
    assert [item.headline for item in found.warnings] == [
        "<command line>:1:6: warning: vars.depth: nothing reads it; "
        "write ${vars.depth} where its value is meant, or remove it"
    ]
    assert load_experiment("c.yaml").warnings == ()


def headlines(path: str, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_experiment(path, overrides)
    return [item.headline for item in caught.value.diagnostics]


def test_mistakes_are_shown_in_the_file_that_makes_them(folder: Path) -> None:
    merged("loop: {epoch: 1}\noptimizer: {lr: -1}\n", BASE.replace("64", "no").replace("0.99]", "2]"))
    assert headlines("c.yaml") == [
        "base.yaml:6:34: error: model[0].out_features: expected a whole number, got 'no' "
        "(from vars.width, base.yaml:3:15)",
        "base.yaml:10:49: error: optimizer.betas[1]: must be less than 1, got 2",
        "c.yaml:2:8: error: loop.epoch: unknown key 'epoch'; did you mean 'epochs', which is there already?",
        "c.yaml:3:17: error: optimizer.lr: must be at least 0, got -1",
    ]


def test_what_both_lack_is_missing_where_the_file_starts(folder: Path) -> None:
    merged("", BASE.replace("loss: CrossEntropyLoss\n", ""))
    assert headlines("c.yaml") == ["c.yaml:1:1: error: the config needs 'loss': what is minimised: a loss, or a "
                                   "list of terms that are added"]  # fmt: skip


HERE = "c.yaml:1:10: error: extends: "


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("extends: [a.yaml]", [f"{HERE}expected the path of another config, got a list"]),
        ("extends: null", [f"{HERE}expected the path of another config, got null"]),
        ("extends: nope.yaml", [f"{HERE}nope.yaml: no such file"]),
        ("extends: .", [f"{HERE}.: is a directory, not a file"]),
        ("extends: pipe", [f"{HERE}pipe: is not a regular file"]),
        ("extends: c.yaml", [f"{HERE}a file cannot extend itself: c.yaml -> c.yaml"]),
        ("extends: sub/../c.yaml", [f"{HERE}a file cannot extend itself: c.yaml -> sub/../c.yaml"]),
        (
            "extends: b.yaml",
            ["b.yaml:1:10: error: extends: a file cannot extend itself: c.yaml -> b.yaml -> c.yaml"],
        ),
        ("extends: bad.yaml", ["bad.yaml:1:4: error: this bracket is never closed"]),
        ("extends: 0.yaml", ["8.yaml:1:10: error: extends: more than 10 files extend one another"]),
        ("extend: base.yaml\n", ["c.yaml:1:1: error: extend: unknown key 'extend'; did you mean 'extends'?"]),
    ],
)
def test_refused(folder: Path, text: str, messages: list[str]) -> None:
    (folder / "sub").mkdir()
    os.mkfifo("pipe")
    write("b.yaml", "extends: c.yaml")
    write("bad.yaml", "a: [1")
    for number in range(12):
        write(f"{number}.yaml", f"extends: {number + 1}.yaml")
    write("12.yaml", BASE)
    write("c.yaml", text + ("\n" + BASE if text.startswith("extend:") else ""))
    assert headlines("c.yaml") == messages


def test_a_setting_cannot_change_it(folder: Path) -> None:
    merged("")
    assert headlines("c.yaml", "extends=other.yaml") == [
        "<command line>:1:1: error: extends: what a file extends is no setting; "
        "write a file that extends the other one"
    ]
