"""Every example runs: the files in configs/ and the configs in the README."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from declnet.config.plain import plain
from declnet.config.yaml import loads
from declnet.runner.events import Finished
from declnet.runner.experiment import load
from declnet.runner.figures import figures
from declnet.runner.rows import Rows
from declnet.runner.scheduling import settled
from declnet.runner.train import train
from examples import CONFIGS, FITTED, pointed_at

CHECKOUT = Path(__file__).parent.parent
README = CHECKOUT / "README.md"
BLOCKS = re.findall(r"```yaml\n(.*?)```", README.read_text(encoding="utf-8"), re.S) if README.exists() else []
SHORT = ["loop.epochs=2"]


def test_there_are_examples() -> None:
    assert CONFIGS


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_a_config_is_valid_and_trains(folder: Path, stand_ins: Path, path: Path) -> None:
    settings = [*SHORT, *pointed_at(path, stand_ins)]
    assert figures(load(path, settings)).parameters > 0
    *_, last = train(load(path, settings), folder / "run")
    assert isinstance(last, Finished)
    written, meant = load(folder / "run" / "config.yaml"), load(path, settings)
    complete = settled(meant.config, meant.document, Rows(meant).steps)
    # As plain data, because a table's path differs in how it is spelt.
    assert plain(written.config, folder) == plain(complete, folder)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_a_config_says_what_it_is_and_how_to_run_it(path: Path) -> None:
    first, *rest = path.read_text(encoding="utf-8").splitlines()
    assert re.match(r"# [A-Z].*", first)
    # What `declnet init` wrote names itself as it was asked to.
    spelt = path.name if path.stem in FITTED else path.relative_to(CHECKOUT)
    assert any(f"declnet train {spelt}" in line for line in rest[:5])


@pytest.mark.skipif(not README.exists(), reason="there is no README yet")
def test_the_readme_shows_a_whole_config() -> None:
    assert any("model:" in block and "data:" in block for block in BLOCKS)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_a_config_in_the_readme(folder: Path, number: int) -> None:
    text = BLOCKS[number]
    data = loads(text, f"README.md, block {number + 1}").data
    if not {"data", "model", "loss", "optimizer"} <= data.keys():
        pytest.skip("a part of a config")
    Path("readme.yaml").write_text(text, encoding="utf-8")
    *_, last = train(load("readme.yaml", SHORT), Path("run"))
    assert isinstance(last, Finished)
