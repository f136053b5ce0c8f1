"""The examples, each with one mistake: exactly these messages at these places, with this exit code."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from declnet.errors import DeclnetError
from declnet.runner.experiment import load
from examples import CONFIGS, FOLDER, write_stand_ins, write_tables

VARIANTS: list[dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("broken_examples.yaml").read_text(encoding="utf-8")
)


def test_there_are_variants_of_every_example() -> None:
    assert len(VARIANTS) >= 40
    assert {variant["config"] for variant in VARIANTS} == {path.stem for path in CONFIGS}


@pytest.mark.parametrize("number", range(len(VARIANTS)), ids=lambda number: VARIANTS[number]["config"])
def test_a_variant(folder: Path, number: int) -> None:
    variant = VARIANTS[number]
    file = Path(f"{variant['config']}.yaml")
    text = (FOLDER / file).read_text(encoding="utf-8")
    assert variant["this"] in text, "the example has changed"
    file.write_text(text.replace(variant["this"], variant["that"], 1), encoding="utf-8")
    shutil.copytree(FOLDER / "data", "data")
    write_stand_ins(Path("data"))
    write_tables(Path())
    with pytest.raises(DeclnetError) as caught:
        load(file, strict=True)
    found = [re.sub(rf"^{file}:|error: ", "", item.headline, count=2) for item in caught.value.diagnostics]
    assert (caught.value.exit_code, found) == (variant["exit"], variant["messages"])
