"""docs/data.md: every config is trained, and every transform and message is there."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from config.test_json_schema import listed_data, refused
from declnet.config.yaml import loads
from declnet.core.registry import sources, transforms
from declnet.errors import DataError
from declnet.runner.evaluate import evaluate
from declnet.runner.trained import Trained

if TYPE_CHECKING:
    from runner.conftest import Trained as Fitted

PAGE = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
CONFIGS = dict(re.findall(r"<!-- (\w+) -->\n```yaml\n(.*?)```", PAGE, re.DOTALL))

SEAS = ["INLAND", "ISLAND", "NEAR BAY", "NEAR OCEAN", "<1H OCEAN"]
ISLANDS = ["Biscoe", "Dream", "Torgersen"]


def housing(rng: np.random.Generator) -> list[dict[str, object]]:
    numbers = [
        "longitude",
        "latitude",
        "housing_median_age",
        "total_rooms",
        "total_bedrooms",
        "population",
        "households",
        "median_income",
        "median_house_value",
    ]
    rows = [dict(zip(numbers, rng.uniform(1, 900, len(numbers)).round(2).tolist(), strict=True)) for _ in range(90)]
    return [
        row | {"ocean_proximity": SEAS[index % 5]} | ({} if index % 9 else {"total_bedrooms": ""})
        for index, row in enumerate(rows)
    ]


def penguins(rng: np.random.Generator) -> list[dict[str, object]]:
    return [
        {
            "species": ["Adelie", "Chinstrap", "Gentoo"][index % 3],
            "island": ISLANDS[index % 7 % 3],
            "bill_length_mm": "NA" if index % 11 == 0 else round(rng.normal(40, 5), 1),
            "bill_depth_mm": round(rng.normal(17, 2), 1),
            "flipper_length_mm": rng.integers(170, 230),
            "body_mass_g": rng.integers(3000, 6000),
            "sex": ["MALE", "FEMALE", ""][index % 5 % 3],
        }
        for index in range(90)
    ]


def write(name: str, rows: list[dict[str, object]]) -> None:
    with Path(f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0]])
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def data(folder: Path) -> None:
    rng = np.random.default_rng(0)
    write("housing", housing(rng))
    write("penguins", penguins(rng))
    image = rng.integers(0, 256, (90, 3, 8, 8)).astype(np.uint8)
    np.savez("pictures.npz", image=image, label=rng.integers(0, 4, 90))


def test_every_config_of_the_page_is_here() -> None:
    assert list(CONFIGS) == ["housing", "penguins", "pictures"]
    assert PAGE.count("```yaml") == len(CONFIGS)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_of_the_page(fit: Callable[..., Fitted], data: None, name: str) -> None:
    fitted = fit(CONFIGS[name], "loop.epochs=2")
    assert evaluate(Trained(fitted.path)).figures == fitted.summary["test"]


@pytest.mark.parametrize("name", CONFIGS)
def test_editors_accept_the_configs_of_the_page(name: str) -> None:
    assert refused(listed_data(loads(CONFIGS[name], name).data)) == set()


def test_the_table_of_transforms() -> None:
    (table,) = re.findall(r"\| transform \| .*?\n\n", PAGE, re.DOTALL)
    named = [name for cell in re.findall(r"^\| (\w.*?) \|", table, re.MULTILINE)[1:] for name in cell.split(", ")]
    assert sorted(named) == sorted(transforms)


def test_the_table_of_sources() -> None:
    (table,) = re.findall(r"\| source \| .*?\n\n", PAGE, re.DOTALL)
    named = [name for cell in re.findall(r"^\| (\w.*?) \|", table, re.MULTILINE)[1:] for name in cell.split(", ")]
    assert sorted(named) == sorted(sources.files)


def test_the_messages(fit: Callable[..., Fitted], data: None) -> None:
    lines = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)[0].splitlines()
    rows = housing(np.random.default_rng(0))
    rows = [{"total_bedrooms": row["total_bedrooms"], **row} for row in rows[1:8]]
    rows[2]["total_bedrooms"] = ""
    write("housing", rows)
    said = []
    for field in ("{columns: [total_bedrooms]}", "{columns: [ocean_proximity]}"):
        with pytest.raises(DataError) as caught:
            fit(CONFIGS["housing"], f"data.inputs.near={field}")
        said += [re.sub(r":\d+:\d+:", "", item.headline) for item in caught.value.diagnostics]
    for line in lines:
        assert re.sub(r":\d+:\d+:", "", line) in said
