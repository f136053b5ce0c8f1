"""`declnet list-components`: all that is registered, and each component explained."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from declnet.core.component import Component
from declnet.core.registry import REGISTRIES, family

if TYPE_CHECKING:
    from conftest import Command, Result

COMMANDS = {
    "all": "list-components",
    "json": "list-components --json",
    "family": "list-components --family optimizers",
    "one": "list-components Linear",
    "one json": "list-components CrossEntropyLoss --json",
    "plain": "list-components ReLU",
    "two": "list-components Flatten",
    "two json": "list-components Flatten --json",
    "one of two": "list-components Flatten --json --family transforms",
    "unknown": "list-components Lineer",
    "far": "list-components zzzzzzz",
    "case": "list-components RELU --json",
    "family unknown": "list-components --family optimisers",
    "family far": "list-components --family zzzzzzz",
}


@pytest.fixture(scope="module")
def results(command_in: Callable[[Path], Command], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    found = command_in(tmp_path_factory.mktemp("list")).each(*COMMANDS.values())
    return dict(zip(COMMANDS, found, strict=True))


@pytest.fixture(scope="module")
def known() -> list[tuple[str, type[Component]]]:
    return [item for registry in REGISTRIES for item in registry.load().items()]


def summary(cls: type[Component]) -> str:
    return (inspect.getdoc(cls) or "").split("\n")[0]


def test_the_list(results: dict[str, Result], known: list[tuple[str, type[Component]]]) -> None:
    assert (results["all"].rc, results["all"].stderr) == (0, "")
    title, header, *rows = results["all"].stdout.splitlines()
    assert title == f"{len(known)} components"
    assert header.split() == ["name", "family", "PyTorch", "what", "it", "does"]
    for row, (name, cls) in zip(rows, known, strict=True):
        assert " ".join(row.split()) == " ".join(f"{name} {family(cls)} {cls.pytorch or ''} {summary(cls)}".split())
    starts = {row.index(summary(cls)) for row, (_, cls) in zip(rows, known, strict=True)}
    assert starts == {header.index("what it does")}


def test_a_family(results: dict[str, Result], known: list[tuple[str, type[Component]]]) -> None:
    title, _, *rows = results["family"].stdout.splitlines()
    names = [name for name, cls in known if family(cls) == "optimizers"]
    assert title == f"{len(names)} components"
    assert [row.split()[0] for row in rows] == names


def test_json(results: dict[str, Result], known: list[tuple[str, type[Component]]]) -> None:
    described = json.loads(results["json"].stdout)
    assert [item["name"] for item in described] == [name for name, _ in known]
    for item, (_, cls) in zip(described, known, strict=True):
        assert list(item) == ["name", "family", "pytorch", "summary", "documentation", "arguments", "left_out"]
        assert item["documentation"] == inspect.getdoc(cls)
        assert [arg["name"] for arg in item["arguments"]] == [name for name in cls.model_fields if name != "type"]


def test_one_component_as_json(results: dict[str, Result]) -> None:
    item: dict[str, Any] = json.loads(results["one json"].stdout)
    assert item["arguments"] == [
        {"name": "weight", "takes": "a list of numbers or null", "required": False, "default": None},
        {"name": "ignore_index", "takes": "a whole number", "required": False, "default": -100},
        {"name": "reduction", "takes": "'mean', 'sum' or 'none'", "required": False, "default": "mean"},
        {
            "name": "label_smoothing",
            "takes": "a number, at most 1",
            "required": False,
            "default": 0.0,
        },
    ]
    assert list(item["left_out"]) == ["size_average", "reduce"]


def test_one_component(results: dict[str, Result], known: list[tuple[str, type[Component]]]) -> None:
    assert results["one"].stdout == (
        f"Linear (layers, PyTorch's torch.nn.Linear)\n\n{inspect.getdoc(dict(known)['Linear'])}\n\n"
        "Arguments\n"
        "name          type                                     default\n"
        "in_features   a whole number, greater than 0, or null  null\n"
        "out_features  a whole number, greater than 0           required\n"
        "bias          true or false                            true\n"
    )
    assert (
        results["plain"].stdout
        == f"ReLU (activations, PyTorch's torch.nn.ReLU)\n\n{inspect.getdoc(dict(known)['ReLU'])}\n"
    )


def test_a_name_that_a_module_and_a_transform_have(results: dict[str, Result]) -> None:
    shown = results["two"].stdout
    assert shown.index("Flatten (operations, PyTorch's torch.nn.Flatten)") < shown.index("Flatten (transforms)")
    assert [item["family"] for item in json.loads(results["two json"].stdout)] == ["operations", "transforms"]
    assert json.loads(results["one of two"].stdout)["family"] == "transforms"


@pytest.mark.parametrize(
    ("which", "message"),
    [
        ("unknown", "no component 'Lineer'; did you mean 'Linear'?"),
        ("far", "no component 'zzzzzzz'; declnet list-components shows all"),
        ("case", "no component 'RELU'; did you mean 'ReLU'?"),
        ("family unknown", "no family 'optimisers'; did you mean 'optimizers'?"),
        ("family far", "no family 'zzzzzzz'; there is {families}"),
    ],
)
def test_what_there_is_not(
    results: dict[str, Result], known: list[tuple[str, type[Component]]], which: str, message: str
) -> None:
    *families, last = dict.fromkeys(family(cls) for _, cls in known)
    text = message.format(families=f"{', '.join(families)} and {last}")
    assert (results[which].rc, results[which].stdout, results[which].stderr) == (2, "", f"error: {text}\n")
