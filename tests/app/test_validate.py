"""`declnet validate`: the network in figures, or all that is wrong with the file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Command, Result

FIGURES = """\
digits_mlp.yaml: valid. One batch of 32 rows, float32
node   type              output     parameters      FLOPs    learned  activations
0      Linear            (32, 256)      16,640  1,056,768  325.0 KiB     32.0 KiB
1      ReLU              (32, 256)           0      8,192        0 B     32.0 KiB
2      Dropout           (32, 256)           0      8,192        0 B     96.0 KiB
3      Linear            (32, 10)        2,570    164,160   50.3 KiB      2.5 KiB
loss   CrossEntropyLoss  ()                  0      1,600        0 B      2.3 KiB
total                                   19,210  1,238,912  375.3 KiB    164.8 KiB
Memory, data aside
what for          size
parameters    75.1 KiB
gradients     75.1 KiB
optimizer    225.2 KiB
activations  137.6 KiB
best epoch    75.0 KiB
total        587.9 KiB
Learned: parameters, gradients, optimizer state and the best epoch's copy. \
Activations share memory: 137.6 KiB hold the nodes' 164.8 KiB and the batch's 8.2 KiB.
"""
SIX = """\
name: six
data:
  source: {type: Digits, flaten: true}
model:
  - {type: Linear, in_features: 60, out_features: 16}
  - Relu
  - {type: Linear, out_features: 0}
loss: {type: CrossEntropyLoss, reduction: avg}
optimizer: {type: AdamW, lr: 1e-3, betas: [0.9, 1.5]}
loop: {epochs: 3}
"""
SIX_MISTAKES = """\
six.yaml:3:26: error: data.source.flaten: unknown key 'flaten'; did you mean 'flatten'?
      source: {type: Digits, flaten: true}
                             ^
six.yaml:5:33: error: model[0].in_features: Linear takes 60 features but its input has 64 (from data.inputs.x)
      - {type: Linear, in_features: 60, out_features: 16}
                                    ^
six.yaml:6:5: error: model[1].type: unknown component 'Relu'; did you mean 'ReLU'?
      - Relu
        ^
six.yaml:7:34: error: model[2].out_features: must be greater than 0, got 0
      - {type: Linear, out_features: 0}
                                     ^
six.yaml:8:43: error: loss.reduction: expected 'mean', 'sum' or 'none', got 'avg'
    loss: {type: CrossEntropyLoss, reduction: avg}
                                              ^
six.yaml:9:49: error: optimizer.betas[1]: must be less than 1, got 1.5
    optimizer: {type: AdamW, lr: 1e-3, betas: [0.9, 1.5]}
                                                    ^
"""


FILES = "digits_mlp.yaml six.yaml nope.yaml"
COMMANDS = {
    "good": "validate digits_mlp.yaml",
    "twice": "validate digits_mlp.yaml digits_mlp.yaml",
    "mixed": f"validate {FILES}",
    "json": "validate digits_mlp.yaml --json",
    "mixed json": f"validate --json {FILES}",
    "train": "train six.yaml",
}
MISSING = "error: nope.yaml: no such file\n"


@pytest.fixture(scope="module")
def command(command_in: Callable[[Path], Command], tmp_path_factory: pytest.TempPathFactory) -> Command:
    """The command in a folder with a good and a bad config."""
    command = command_in(tmp_path_factory.mktemp("validate"))
    shutil.copy(Path(__file__).parents[2] / "configs" / "digits_mlp.yaml", command.cwd)
    (command.cwd / "six.yaml").write_text(SIX, encoding="utf-8")
    return command


@pytest.fixture(scope="module")
def results(command: Command) -> dict[str, Result]:
    return dict(zip(COMMANDS, command.each(*COMMANDS.values()), strict=True))


def test_the_figures_of_a_network(command: Command) -> None:
    result = command("validate", "digits_mlp.yaml")
    assert (result.rc, result.stdout, result.stderr) == (0, FIGURES, "")


def test_six_mistakes_are_six_messages(command: Command, results: dict[str, Result]) -> None:
    result = results["train"]
    assert (result.rc, result.stdout, result.stderr) == (2, "", SIX_MISTAKES)
    assert sorted(path.name for path in command.cwd.iterdir()) == ["digits_mlp.yaml", "six.yaml"]


def test_several_files(results: dict[str, Result]) -> None:
    good, mixed = results["twice"], results["mixed"]
    assert (good.rc, good.stdout, good.stderr) == (0, 2 * FIGURES, "")
    assert (mixed.rc, mixed.stdout, mixed.stderr) == (2, FIGURES, SIX_MISTAKES + MISSING)


def test_several_files_as_json(results: dict[str, Result]) -> None:
    result = results["mixed json"]
    assert (result.rc, result.stderr) == (2, SIX_MISTAKES + MISSING)
    good, six, missing = json.loads(result.stdout)
    assert [good] == json.loads(results["json"].stdout)
    assert (six["config"], six["valid"], list(six)) == ("six.yaml", False, ["config", "valid", "diagnostics"])
    assert [item["place"]["line"] for item in six["diagnostics"]] == [3, 5, 6, 7, 8, 9]
    assert six["diagnostics"][0] == {
        "severity": "error",
        "place": {"file": "six.yaml", "line": 3, "column": 26},
        "path": "data.source.flaten",
        "message": "unknown key 'flaten'; did you mean 'flatten'?",
        "origin": None,
    }
    assert missing == {
        "config": "nope.yaml",
        "valid": False,
        "diagnostics": [
            {
                "severity": "error",
                "place": None,
                "path": "",
                "message": "nope.yaml: no such file",
                "origin": None,
            }
        ],
    }


def test_json(results: dict[str, Result]) -> None:
    result = results["json"]
    nodes = [
        ("0", "Linear", [32, 256], 16640, 1056768, 5 * 4 * 16640, 32768),
        ("1", "ReLU", [32, 256], 0, 8192, 0, 32768),
        ("2", "Dropout", [32, 256], 0, 8192, 0, 98304),
        ("3", "Linear", [32, 10], 2570, 164160, 4 * 4 * 2576 + 4 * 2570, 2560),
        ("loss", "CrossEntropyLoss", [], 0, 1600, 0, 2368),
    ]
    assert json.loads(result.stdout) == [
        {
            "config": "digits_mlp.yaml",
            "valid": True,
            "diagnostics": [],
            "name": "digits-mlp",
            "dtype": "float32",
            "batch_size": 32,
            "nodes": [
                {
                    "node": node,
                    "type": kind,
                    "output": {"shape": shape, "kind": "float"},
                    "parameters": parameters,
                    "flops": flops,
                    "learned": learned,
                    "activations": activations,
                }
                for node, kind, shape, parameters, flops, learned, activations in nodes
            ],
            "parameters": 19210,
            "flops": 1238912,
            "batch": {"x": 4 * 32 * 64, "y": 8 * 32},
            "init": None,
            "lr": None,
            "memory": {
                "parameters": 4 * 19216,  # each parameter starts at a multiple of 64 bytes
                "gradients": 4 * 19216,
                "optimizer": 12 * 19216,  # and a block to work in, which is as long here
                "activations": 140864,
                "best_epoch": 4 * 19210,
                "total": 602024,
            },
        }
    ]


def test_imports_only_what_is_named(results: dict[str, Result]) -> None:
    others = {
        "torch",
        "rich",
        "numpy._core",
        "declnet.runner.train",
        "declnet.losses.mse",
        "declnet.data.sources.csv",
    }
    assert others.isdisjoint(results["good"].modules)
