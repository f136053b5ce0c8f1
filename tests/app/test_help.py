"""Help, version and wrong command lines: at once, and without importing what they do not need."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import declnet

if TYPE_CHECKING:
    from conftest import Command, Result

HEAVY = {"numpy._core", "pydantic", "rich", "torch", "yaml"}
HELP = {
    "--help": "Usage: declnet [OPTIONS] COMMAND [ARGS]...\n\n  Train neural networks from one YAML file.\n",
    "-h": "Usage: declnet [OPTIONS] COMMAND [ARGS]...\n\n  Train neural networks from one YAML file.\n",
    "--version": f"declnet {declnet.__version__}\n",
    "train --help": "  Train the network a config describes, and write a run directory.\n",
    "validate -h": "  Check configs without running them; print shapes, parameters, FLOPs and\n  memory.\n",
    "inspect --help": "  Show the network a config describes: its nodes as they nest, with shapes,\n  parameters,",
    "runs --help": "  List the runs in a directory, with the figures of their best epochs.\n",
    "compare --help": "  Show where the configs of runs differ, and their figures side by side.\n",
    "init --help": "  Write a starter config with comments, which trains as it is.\n",
    "list-components --help": "  List what a config can name, or explain one of them.\n",
    "evaluate --help": "  Print the loss and the metrics of a run, on its test rows or on others.\n",
    "predict --help": "  Predict for each row of a file, however long, and write the predictions.\n",
    "schema --help": "  Print the JSON Schema of configs, by which editors complete and check.\n",
}
WRONG = {
    "trian c.yaml": "No such command 'trian'",
    "train": "Missing argument 'CONFIG'",
    "train c.yaml --nope": "No such option: --nope",
    "train c.yaml --run-dir": "Option '--run-dir' requires an argument",
    "validate": "Missing argument 'CONFIG...'",
    "inspect": "Missing argument 'CONFIG'",
    "inspect c.yaml --format pdf": "'pdf' is not one of 'text', 'json', 'mermaid', 'dot'",
    "runs -n 0": "Invalid value for '--limit' / '-n'",
    "compare": "Missing argument 'RUN...'",
    "evaluate": "Missing argument 'RUN'",
    "predict r --input x.csv": "Missing option '--output'",
    "predict r --input x.csv --output y --format pdf": "'pdf' is not one of 'csv', 'jsonl', 'npz'",
    "init --from x.csv": "--target says which column of the file is learned",
    "list-components Linear ReLU": "Got unexpected extra argument",
}


@pytest.fixture(scope="module")
def results(command_in: Callable[[Path], Command], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    """All of them, the lighter ones first: what one imports, the next ones have."""
    command = command_in(tmp_path_factory.mktemp("help"))
    texts = [*HELP, *WRONG]
    return dict(zip(texts, command.each(*texts), strict=True))


@pytest.mark.parametrize("text", HELP)
def test_help_says_what_it_is_for(results: dict[str, Result], text: str) -> None:
    result = results[text]
    assert (result.rc, result.stderr) == (0, "")
    assert HELP[text] in result.stdout


def test_help_names_every_option(results: dict[str, Result]) -> None:
    for word in ("CONFIG", "KEY=VALUE", "--run-dir", "--json", "--quiet", "-q", "optimizer.lr=0.01"):
        assert word in results["train --help"].stdout
    for word in ("--data", "--split", "--checkpoint", "--json", "test, val, train or all", "best, the epoch"):
        assert word in results["evaluate --help"].stdout
    for word in ("--input", "--output", "--format", "--probabilities", "--checkpoint", "prediction", "NLLLoss"):
        assert word in results["predict --help"].stdout
    for word in ("train", "validate", "inspect", "evaluate", "predict", "runs", "compare", "list-components"):
        assert word in results["--help"].stdout


@pytest.mark.parametrize("text", [text for text in HELP if text[0] == "-"])
def test_help_imports_nothing_heavy(results: dict[str, Result], text: str) -> None:
    assert HEAVY.isdisjoint(results[text].modules)


@pytest.mark.parametrize("text", [text for text in HELP if text[0] != "-"])
def test_help_of_a_command_imports_nothing_of_declnet(results: dict[str, Result], text: str) -> None:
    found = {name for name in results[text].modules if name.startswith("declnet")}
    assert found == {
        "declnet",
        "declnet.app",
        "declnet.app.commands",
        "declnet.app.openblas",
        "declnet.app.later",
        "declnet.app.options",
    }
    assert (HEAVY - {"pydantic"}).isdisjoint(results[text].modules)


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_command_line(results: dict[str, Result], text: str) -> None:
    result = results[text]
    assert result.rc == 2
    assert WRONG[text] in result.stderr
    assert "Traceback" not in result.stderr


def test_no_command_shows_the_help(command: Command) -> None:
    result = command()
    assert result.rc == 2
    assert "Commands:\n  train " in result.stdout + result.stderr


def test_nothing_was_written(command_in: Callable[[Path], Command], tmp_path: Path) -> None:
    command_in(tmp_path).each("--help", "train --help", "nope", "train c.yaml")
    assert list(tmp_path.iterdir()) == []
