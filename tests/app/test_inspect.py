"""`declnet inspect`: the network as a tree, as JSON, and as pictures that other programs can read."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from declnet.app.pictures import dot, mermaid
from declnet.runner.experiment import load
from declnet.runner.outline import Outline, outline

if TYPE_CHECKING:
    from conftest import Command, Result

WIRED = """\
name: wired
data:
  source: {type: Digits}
  inputs: {x: image, style: image}
model:
  - {type: ParameterDict, name: gains, parameters: {temp: {shape: [64], init: {type: normal_, std: 0.1}}}}
  - {type: Mul, name: end, inputs: [x, gains.temp]}
  - {type: ModuleDict, name: heads, modules: {graph: {type: Linear, out_features: 10}}}
  - type: Sequential
    name: subgraph
    layers: [{type: Linear, out_features: 64, freeze: true}, ReLU, {type: Linear, out_features: 32}]
    calls: {a: end, b: style}
  - {type: Sub, inputs: [a, b]}
  - {type: Linear, out_features: 32, repeat: 2}
  - {type: ModuleList, name: each, forward: map, modules: [ReLU, {type: Linear, out_features: 32}]}
  - {type: Concat, dim: 1}
  - {use: heads.graph, name: digraph}
loss:
  - CrossEntropyLoss
  - {type: MSELoss, reduction: sum, inputs: {input: a, target: b}, scale: 0.1}
optimizer: AdamW
"""
MLP_TREE = """\
digits_mlp.yaml: digits-mlp, one batch of 32 rows, float32
data
├─ x: (32, 64)
│     8.0 KiB activations
└─ y: (32,) int
      256 B activations
model
│  19,210 parameters, 1,238,912 FLOPs, 375.3 KiB learned, 164.8 KiB activations
├─ 0: Linear(in_features: 64, out_features: 256) -> (32, 256)
│     16,640 parameters, 1,056,768 FLOPs, 325.0 KiB learned, 32.0 KiB activations
├─ 1: ReLU -> (32, 256)
│     8,192 FLOPs, 32.0 KiB activations
├─ 2: Dropout(p: 0.3) -> (32, 256)
│     8,192 FLOPs, 96.0 KiB activations
└─ 3: Linear(in_features: 256, out_features: 10) -> (32, 10)
      2,570 parameters, 164,160 FLOPs, 50.3 KiB learned, 2.5 KiB activations
loss
└─ loss: CrossEntropyLoss, reads 3, y -> ()
      1,600 FLOPs, 2.3 KiB activations
output
└─ 3: (32, 10)
memory: 587.9 KiB, data aside
│  Learned: parameters, gradients, optimizer state and the best epoch's copy.
│  Activations share memory: 137.6 KiB hold the nodes' 164.8 KiB and the batch's 8.2 KiB.
├─ parameters: 75.1 KiB
├─ gradients: 75.1 KiB
├─ optimizer: 225.2 KiB
├─ activations: 137.6 KiB
└─ best epoch: 75.0 KiB
"""
WIRED_TREE = """\
wired.yaml: wired, one batch of 32 rows, float32
data
├─ x: (32, 64)
│     8.0 KiB activations
├─ style: (32, 64)
│     8.0 KiB activations
└─ y: (32,) int
      256 B activations
model
│  10,122 parameters (4,160 frozen), 1,048,448 FLOPs, 149.0 KiB learned, 189.8 KiB activations
├─ gains: ParameterDict, only holds
│  │  64 parameters, 1.2 KiB learned, 512 B activations
│  └─ temp: Parameter(value: {shape: [64], init: {type: normal_, std: 0.1}}) -> (64,)
│        64 parameters, 1.2 KiB learned, 512 B activations
├─ end: Mul, reads x, gains.temp -> (32, 64)
│     2,048 FLOPs, 24.0 KiB activations
├─ heads: ModuleDict, only holds
│  └─ graph: Linear(in_features: 64, out_features: 10), held
├─ subgraph: Sequential -> (32, 32), (32, 32)
│  │  6,240 parameters (4,160 frozen), 796,672 FLOPs, 73.1 KiB learned, 80.4 KiB activations
│  ├─ a: Sequential, reads end -> (32, 32)
│  │  │  6,240 parameters (4,160 frozen), 398,336 FLOPs, 73.1 KiB learned, 56.4 KiB activations
│  │  ├─ 0: Linear(in_features: 64, out_features: 64) -> (32, 64)
│  │  │     4,160 parameters (frozen), 264,192 FLOPs, 32.5 KiB learned, 24.2 KiB activations
│  │  ├─ 1: ReLU -> (32, 64)
│  │  │     2,048 FLOPs, 16.0 KiB activations
│  │  └─ 2: Linear(in_features: 64, out_features: 32) -> (32, 32)
│  │        2,080 parameters, 132,096 FLOPs, 40.6 KiB learned, 16.1 KiB activations
│  └─ b: Sequential, weights of subgraph, reads style -> (32, 32)
│     │  398,336 FLOPs, 24.0 KiB activations
│     ├─ 0: Linear(in_features: 64, out_features: 64) -> (32, 64)
│     │     264,192 FLOPs, 8.0 KiB activations
│     ├─ 1: ReLU -> (32, 64)
│     │     2,048 FLOPs, 8.0 KiB activations
│     └─ 2: Linear(in_features: 64, out_features: 32) -> (32, 32)
│           132,096 FLOPs, 8.0 KiB activations
├─ 4: Sub, reads a, b -> (32, 32)
│     1,024 FLOPs, 16.0 KiB activations
├─ 5: Linear(in_features: 32, out_features: 32), 2 in a row -> (32, 32)
│  │  2,112 parameters, 133,120 FLOPs, 41.2 KiB learned, 16.0 KiB activations
│  ├─ 0: Linear(in_features: 32, out_features: 32) -> (32, 32)
│  │     1,056 parameters, 66,560 FLOPs, 20.6 KiB learned, 8.0 KiB activations
│  └─ 1: Linear(in_features: 32, out_features: 32) -> (32, 32)
│        1,056 parameters, 66,560 FLOPs, 20.6 KiB learned, 8.0 KiB activations
├─ each: ModuleList(forward: map) -> (32, 32), (32, 32)
│  │  1,056 parameters, 67,584 FLOPs, 20.6 KiB learned, 24.0 KiB activations
│  ├─ 0: ReLU -> (32, 32)
│  │     1,024 FLOPs, 16.0 KiB activations
│  └─ 1: Linear(in_features: 32, out_features: 32) -> (32, 32)
│        1,056 parameters, 66,560 FLOPs, 20.6 KiB learned, 8.0 KiB activations
├─ 7: Concat(dim: 1) -> (32, 64)
│     2,048 FLOPs, 16.0 KiB activations
└─ digraph: Linear(in_features: 64, out_features: 10), weights of heads.graph -> (32, 10)
      650 parameters, 41,280 FLOPs, 12.8 KiB learned, 2.5 KiB activations
loss
├─ loss[0]: CrossEntropyLoss, reads digraph, y -> ()
│     1,600 FLOPs, 2.3 KiB activations
└─ loss[1]: MSELoss(reduction: sum), scale 0.1, reads a, b -> ()
      3,072 FLOPs, 8.1 KiB activations
output
└─ digraph: (32, 10)
memory: 262.9 KiB, data aside
│  Learned: parameters, gradients, optimizer state and the best epoch's copy.
│  Activations share memory: 90.5 KiB hold the nodes' 189.8 KiB and the batch's 16.2 KiB.
├─ parameters: 39.6 KiB
├─ gradients: 23.3 KiB
├─ optimizer: 69.9 KiB
├─ activations: 90.5 KiB
└─ best epoch: 39.5 KiB
"""
MLP_MERMAID = """\
flowchart TD
n1(["x"])
n2(["y"])
n3["0: Linear"]
n4["1: ReLU"]
n5["2: Dropout"]
n6["3: Linear"]
n7["loss: CrossEntropyLoss"]
n8(["output"])
n1 -->|"(32, 64)"| n3
n3 -->|"(32, 256)"| n4
n4 -->|"(32, 256)"| n5
n5 -->|"(32, 256)"| n6
n6 -->|"(32, 10)"| n7
n2 -->|"(32,) int"| n7
n6 -->|"(32, 10)"| n8
"""
MLP_DOT = """\
digraph {
  node [shape=box];
  n1 [label="x", shape=oval];
  n2 [label="y", shape=oval];
  n3 [label="0: Linear"];
  n4 [label="1: ReLU"];
  n5 [label="2: Dropout"];
  n6 [label="3: Linear"];
  n7 [label="loss: CrossEntropyLoss"];
  n8 [label="output", shape=oval];
  n1 -> n3 [label="(32, 64)"];
  n3 -> n4 [label="(32, 256)"];
  n4 -> n5 [label="(32, 256)"];
  n5 -> n6 [label="(32, 256)"];
  n6 -> n7 [label="(32, 10)"];
  n2 -> n7 [label="(32,) int"];
  n6 -> n8 [label="(32, 10)"];
}
"""
COMMANDS = {
    "mlp": "inspect digits_mlp.yaml",
    "settings": "inspect digits_mlp.yaml loop.batch_size=64",
    "wired": "inspect wired.yaml",
    "json": "inspect wired.yaml --json",
    "format json": "inspect wired.yaml --format json",
    "mlp mermaid": "inspect digits_mlp.yaml --format mermaid",
    "mlp dot": "inspect digits_mlp.yaml --format dot",
    "mermaid": "inspect wired.yaml --format mermaid",
    "dot": "inspect wired.yaml --format dot",
    "wrong": "inspect digits_mlp.yaml model.0.out_features=0",
    "strict": "inspect digits_mlp.yaml --strict optimizer.lr=0.1",
}


@pytest.fixture(scope="module")
def command(command_in: Callable[[Path], Command], tmp_path_factory: pytest.TempPathFactory) -> Command:
    command = command_in(tmp_path_factory.mktemp("inspect"))
    shutil.copy(Path(__file__).parents[2] / "configs" / "digits_mlp.yaml", command.cwd)
    (command.cwd / "wired.yaml").write_text(WIRED, encoding="utf-8")
    return command


@pytest.fixture(scope="module")
def results(command: Command) -> dict[str, Result]:
    return dict(zip(COMMANDS, command.each(*COMMANDS.values()), strict=True))


def test_a_chain_as_a_tree(results: dict[str, Result]) -> None:
    result = results["mlp"]
    assert (result.rc, result.stdout, result.stderr) == (0, MLP_TREE, "")


def test_blocks_uses_repeats_and_terms_as_a_tree(results: dict[str, Result]) -> None:
    result = results["wired"]
    assert (result.rc, result.stdout, result.stderr) == (0, WIRED_TREE, "")


def test_settings_change_the_network(results: dict[str, Result]) -> None:
    result = results["settings"]
    assert (result.rc, result.stderr) == (0, "")
    assert "├─ 0: Linear(in_features: 64, out_features: 256) -> (64, 256)\n" in result.stdout


def test_without_lines_in_the_encoding(command: Command) -> None:
    result = command("inspect", "wired.yaml", PYTHONIOENCODING="ascii")
    lines = str.maketrans({"├": "|", "│": "|", "└": "`", "─": "-"})
    assert (result.rc, result.stdout) == (
        0,
        WIRED_TREE.translate(lines).replace("|--", "|- ").replace("`--", "`- "),
    )


def test_mistakes_and_warnings(command: Command, results: dict[str, Result]) -> None:
    wrong = results["wrong"]
    assert (wrong.rc, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("<command line>:1:22: error: model[0].out_features: must be greater than 0")
    assert (results["strict"].rc, results["strict"].stderr) == (0, "")
    (command.cwd / "twice.yaml").write_text(
        "data: {source: {type: Digits}}\nmodel: [{type: Linear, out_features: 10}, {type: Softmax, dim: 1}]\n"
        "loss: CrossEntropyLoss\noptimizer: AdamW\n",
        encoding="utf-8",
    )
    loose, strict = command.each("inspect twice.yaml", "inspect twice.yaml --strict")
    assert (loose.rc, strict.rc, strict.stdout) == (0, 2, "")
    assert loose.stderr.replace(": warning:", ": error:") == strict.stderr
    assert "Softmax before CrossEntropyLoss" in loose.stderr


def nodes(entries: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for entry in entries:
        yield entry
        yield from nodes(entry.get("nodes", []))


def test_json(results: dict[str, Result]) -> None:
    result = results["json"]
    assert (result.rc, result.stdout, result.stderr) == (0, results["format json"].stdout, "")
    found = json.loads(result.stdout)
    assert (found["config"], found["name"], found["dtype"], found["batch_size"]) == (
        "wired.yaml",
        "wired",
        "float32",
        32,
    )
    assert found["data"][2] == {
        "name": "y",
        "output": {"shape": [32], "kind": "int"},
        "activations": 256,
        "columns": ["label"],
        "transforms": [],
    }
    assert found["outputs"] == [{"name": "digraph", "output": {"shape": [32, 10], "kind": "float"}}]
    digraph = found["model"][-1]
    assert digraph == {
        "name": "digraph",
        "type": "Linear",
        "arguments": {"in_features": 64, "out_features": 10},
        "reads": None,
        "outputs": [{"shape": [32, 10], "kind": "float"}],
        "parameters": 650,
        "frozen": 0,
        "flops": 41280,
        "learned": 5 * 4 * (640 + 16) - 4 * (16 - 10),  # of five copies one has no gap behind the bias
        "activations": digraph["activations"],
        "weights_of": "heads.graph",
    }
    assert found["loss"][1]["scale"] == 0.1
    assert found["loss"][1]["reads"] == ["a", "b"]


def test_what_is_in_a_node_adds_up(results: dict[str, Result]) -> None:
    found = json.loads(results["json"].stdout)
    whole = {"nodes": [*found["model"], *found["loss"]], **found["total"]}
    sums = ("parameters", "frozen", "flops", "learned", "activations")
    blocks = [entry for entry in nodes([whole]) if "nodes" in entry]
    assert len(blocks) == 8
    for entry in blocks:
        inner = entry["nodes"]
        assert [entry[key] for key in sums] == [sum(held[key] for held in inner) for key in sums]
    memory = found["memory"]
    batch = sum(item["activations"] for item in found["data"])
    assert memory["activations"] < found["total"]["activations"] + batch
    work = memory["total"] - memory["activations"] - found["total"]["learned"]
    trained = memory["gradients"]
    assert work == trained, "a vector of a group smaller than a block"


def test_pictures_of_a_chain(results: dict[str, Result]) -> None:
    assert [results[name].stdout for name in ("mlp mermaid", "mlp dot")] == [MLP_MERMAID, MLP_DOT]


LABEL = r'"(?:[\w .,:()\[\]=-]|#\d+;|<br>)+"'
STATEMENTS = {
    "node": rf"n\d+(?:\[{LABEL}\]|\(\[{LABEL}\]\))",
    "open": rf"subgraph n\d+ \[{LABEL}\]",
    "close": "end",
    "arrow": rf"n\d+ -->\|{LABEL}\| n\d+",
}


def parse(text: str) -> list[tuple[str, str]]:
    """The statements of a flowchart, each by its kind; what is none fails."""
    head, *lines = text.splitlines()
    assert head == "flowchart TD"
    found = []
    for line in lines:
        kinds = [kind for kind, pattern in STATEMENTS.items() if re.fullmatch(pattern, line.strip())]
        assert len(kinds) == 1, line
        found.append((kinds[0], line.strip()))
    return found


def check(text: str) -> None:
    """Blocks are closed, ids are given once, and arrows lead from and to nodes."""
    statements = parse(text)
    depth, known = 0, []
    for kind, line in statements:
        depth += (kind == "open") - (kind == "close")
        assert depth >= 0
        if kind in ("node", "open"):
            known.append(re.findall(r"n\d+", line)[0])
    assert depth == 0
    assert len(set(known)) == len(known)
    arrows = [line for kind, line in statements if kind == "arrow"]
    assert arrows
    for line in arrows:
        source, target = re.fullmatch(r"(n\d+) .* (n\d+)", line).groups()  # type: ignore[union-attr]
        assert {source, target} <= set(known)


def test_mermaid_is_well_formed(results: dict[str, Result]) -> None:
    check(results["mermaid"].stdout)
    opened = [line for kind, line in parse(results["mermaid"].stdout) if kind == "open"]
    assert [re.findall(r'"(.*)"', line)[0] for line in opened] == [
        "gains: ParameterDict",
        "subgraph: Sequential",
        "a: Sequential",
        "b: Sequential<br>weights of subgraph",
        "5: Linear<br>2 in a row",
        "each: ModuleList",
    ]


ODD = '1. end "] <b>#&lt;`\\ | } -- \t; é'
"""No config can hold such a name, but a plug-in's type may be anything."""


@pytest.fixture
def odd(command: Command, monkeypatch: pytest.MonkeyPatch) -> Outline:
    monkeypatch.chdir(command.cwd)
    network = outline(load("wired.yaml"))
    model = tuple(replace(entry, name=ODD, type=f"- {ODD}") for entry in network.model)
    return replace(network, model=model)


def test_odd_names_do_not_break_mermaid(odd: Outline) -> None:
    text = mermaid(odd)
    check(text)
    first = next(line for kind, line in parse(text) if kind == "open")
    label = re.findall(r'"(.*)"', first)[0]
    assert re.sub(r"#(\d+);", lambda match: chr(int(match[1])), label) == f"{ODD}: - {ODD}"
    assert not re.match(r"\d+\.", label), "a number and a dot are a list in Markdown"


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_reads_the_dot(results: dict[str, Result], odd: Outline) -> None:
    for text, names in ((results["dot"].stdout, {"subgraph: Sequential"}), (dot(odd), {f"{ODD}: - {ODD}"})):
        done = subprocess.run(["dot", "-Tjson"], input=text, capture_output=True, text=True, check=True, timeout=60)
        assert done.stderr == ""
        drawn = json.loads(done.stdout)
        labels = {
            item["label"].replace("\\\\", "\\").replace('\\"', '"').replace("&amp;", "&")
            for item in drawn["objects"]
        }
        assert names <= labels
        assert len(drawn["edges"]) == len(re.findall(" -> ", text)) > 20


def test_imports_only_what_is_named(results: dict[str, Result]) -> None:
    others = {"torch", "rich", "declnet.runner.train", "declnet.losses.mse", "declnet.data.sources.csv"}
    assert others.isdisjoint(results["mlp"].modules)
