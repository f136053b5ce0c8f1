"""Pairs and Triplets: who comes together, that nobody comes twice, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from declnet.core.spec import Array
from declnet.data.sources.csv import CSV
from declnet.data.sources.digits import Digits
from declnet.data.sources.tuples import Pairs, Triplets
from declnet.errors import ConfigError, DataError
from declnet.runner.experiment import load

DIGITS = Digits().read(["image", "label"])


def rows_of(images: Array) -> list[int]:
    """The numbers of digits, by their images."""
    known = {image.tobytes(): number for number, image in enumerate(DIGITS["image"])}
    assert len(known) == len(DIGITS["image"])
    return [known[image.tobytes()] for image in images]


def test_triplets() -> None:
    source = Triplets(source=Digits())
    names = [f"{member}_{column}" for member in ("anchor", "positive", "negative") for column in ("image", "label")]
    assert list(source.columns()) == names
    table = source.read(names)
    assert len(table["anchor_label"]) == sum(count // 3 for count in np.bincount(DIGITS["label"]))
    np.testing.assert_array_equal(table["anchor_label"], table["positive_label"])
    assert (table["anchor_label"] != table["negative_label"]).all()
    rows = np.concatenate([rows_of(table[f"{member}_image"]) for member in source.members])
    assert len(np.unique(rows)) == len(rows)
    for member, numbers in zip(source.members, np.split(rows, 3), strict=True):
        np.testing.assert_array_equal(DIGITS["label"][numbers], table[f"{member}_label"])


def test_pairs() -> None:
    source = Pairs(source=Digits(flatten=False))
    assert source.columns()["second_image"].shape == (1, 8, 8)
    table = source.read(["same", "first_label", "second_label", "second_image", "first_image"])
    np.testing.assert_array_equal(table["same"], table["first_label"] == table["second_label"])
    assert 0.45 < table["same"].mean() < 0.55
    rows = rows_of(np.concatenate([table["first_image"], table["second_image"]]).reshape(-1, 64))
    assert len(set(rows)) == len(rows) > 1700


def test_any_two_classes_meet() -> None:
    """What only ever met one other class could be told apart by less than what it is."""
    digits = set(range(10))
    others = {(one, other) for one in digits for other in digits - {one}}
    table = Triplets(source=Digits()).read(["anchor_label", "negative_label"])
    assert set(zip(table["anchor_label"], table["negative_label"], strict=True)) == others
    table = Pairs(source=Digits()).read(["first_label", "second_label"])
    met = set(zip(table["first_label"], table["second_label"], strict=True)) - {(one, one) for one in digits}
    assert len(met) > 80


@pytest.mark.parametrize("rare", [60, 30, 24, 12])
def test_two_classes(folder: Path, rare: int) -> None:
    """Each row of the rarer class that is in no pair of its own class finds one of the other."""
    lines = [f"{row},{int(row < rare)}\n" for row in range(120)]
    Path("t.csv").write_text("a,label\n" + "".join(lines), encoding="utf-8")
    table = Pairs(source=CSV(path=Path("t.csv"))).read(["first_a", "second_a", "same"])
    used = np.concatenate([table["first_a"], table["second_a"]])
    assert len(np.unique(used)) == len(used)
    assert np.count_nonzero(table["same"] == 0) == rare - 2 * (rare // 4)


def test_the_seed_decides() -> None:
    one, again, other = (Triplets(source=Digits(), seed=seed).read(["anchor_label"]) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one["anchor_label"], again["anchor_label"])
    assert (one["anchor_label"] != other["anchor_label"]).any()


def test_a_place_in_the_other_source(folder: Path) -> None:
    Path("t.csv").write_text("a,label\n" + "".join(f"{row},{row % 2}\n" for row in range(24)), encoding="utf-8")
    source = Triplets(source=CSV(path=Path("t.csv")))
    values = source.read(["negative_a"])["negative_a"]
    mark = source.locate(3, "negative_a")
    assert mark is not None
    assert mark.line == values[3] + 2


def test_too_few_rows(folder: Path) -> None:
    Path("t.csv").write_text("a,label\n1,0\n2,0\n3,1\n", encoding="utf-8")
    with pytest.raises(DataError, match="Triplets needs at least two classes with 6 rows each"):
        Triplets(source=CSV(path=Path("t.csv"))).read(["anchor_a"])


def test_no_such_label(folder: Path) -> None:
    Path("c.yaml").write_text(
        "data:\n  source: {type: Pairs, source: Digits, label: image}\n  inputs: {x: first_image}\n"
        "  targets: {y: [same]}\nmodel: [{type: Linear, out_features: 1}]\nloss: MSELoss\noptimizer: SGD\n",
        encoding="utf-8",
    )
    with pytest.raises((ConfigError, DataError)) as caught:
        load("c.yaml")
    assert [item.headline for item in caught.value.diagnostics] == [
        "c.yaml:2:48: error: data.source.label: the source has no column 'image' of classes; there is label"
    ]
