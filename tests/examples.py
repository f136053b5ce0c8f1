"""The examples in configs/. Some of them read data that do not come with declnet: elsewhere than in
tests/test_results.py they get stand-ins of the same form, so that these tests need no data and take no time.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent.parent / "configs"
CONFIGS = sorted(FOLDER.rglob("*.yaml"))

FITTED = {"penguins": "species", "housing": "median_house_value"}
"""Those that `declnet init NAME --from NAME.csv --target ...` wrote, and the target."""

IMAGES, CHARACTERS = 100, 65
WINDOWS = 40
"""Of 128 characters each."""

TABLE = 150
"""Rows of a table."""


def write_stand_ins(folder: Path) -> None:
    """MNIST's two files with a few images of noise, and a text of as many different characters as Shakespeare's."""
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(IMAGES, 28, 28), dtype=np.uint8)
    labels = np.arange(IMAGES, dtype=np.uint8) % 10
    for name, array in (("images-idx3", images), ("labels-idx1", labels)):
        header = np.array([0x800 + array.ndim, *array.shape], ">i4").tobytes()
        (folder / f"mnist10k-{name}-ubyte.gz").write_bytes(gzip.compress(header + array.tobytes()))
    text = "".join(chr(ord("0") + number) for number in rng.permutation(128 * WINDOWS + 1) % CHARACTERS)
    (folder / "tinyshakespeare.txt").write_text(text, encoding="utf-8")
    write_tables(folder)


def write_tables(folder: Path) -> None:
    """Tables with the columns, the categories and the missing cells of penguins.csv and housing.csv, and a rule."""
    rng = np.random.default_rng(0)
    lines = ["species,island,bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g,sex"]
    for row in range(TABLE):
        measures = [round(number, 1) for number in rng.normal([40 + row % 3 * 5, 17, 200, 4200], [2, 1, 9, 400])]
        sex = "" if row % 10 == 9 else ("MALE", "FEMALE")[row // 2 % 2]
        bird, island = ("Adelie", "Chinstrap", "Gentoo")[row % 3], ("Biscoe", "Dream", "Torgersen")[row // 3 % 3]
        lines.append(",".join(map(str, [bird, island, *(measures if row != 4 else [""] * 4), sex])))
    (folder / "penguins.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    lines = [
        "longitude,latitude,housing_median_age,total_rooms,total_bedrooms,population,households,median_income,"
        "median_house_value,ocean_proximity"
    ]
    for row in range(TABLE):
        longitude, latitude, income = rng.uniform(-124, -114), rng.uniform(32, 42), rng.uniform(0.5, 15)
        homes = int(rng.lognormal(6))
        amounts = [homes * 5, "" if row % 20 == 0 else homes, homes * 3, homes]
        near = ("<1H OCEAN", "INLAND", "ISLAND", "NEAR BAY", "NEAR OCEAN")[row % 5]
        cells = [f"{longitude:.2f}", f"{latitude:.2f}", row % 52 + 1, *amounts, f"{income:.4f}"]
        lines.append(",".join(map(str, [*cells, int(30_000 * income + 20_000), near])))
    (folder / "housing.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def pointed_at(path: Path, folder: Path) -> list[str]:
    """What to say on the command line so that a config reads the data in a folder."""
    text = path.read_text(encoding="utf-8")
    if "${vars.path}" in text:
        return [f"vars.path={folder / path.stem}.csv"]
    return [f"vars.folder={folder}"] if "${vars.folder}" in text else []
