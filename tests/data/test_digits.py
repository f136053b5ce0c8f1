"""The built-in digits: the rows of scikit-learn's copy, in both shapes."""

from __future__ import annotations

import importlib
from importlib.resources import files

import numpy as np
import pytest

from declnet.core.registry import sources
from declnet.core.source import Column
from declnet.data.sources.digits import Digits


def test_is_registered_with_its_fields() -> None:
    assert sources["Digits"] is Digits
    assert (Digits.inputs, Digits.targets) == ({"x": "image"}, {"y": "label"})


@pytest.mark.parametrize(("flatten", "shape"), [(True, (64,)), (False, (1, 8, 8))])
def test_columns_and_rows_agree(flatten: bool, shape: tuple[int, ...]) -> None:
    source = Digits(flatten=flatten)
    assert source.columns() == {"image": Column(shape, "float"), "label": Column((), "int")}
    rows = source.read(["label", "image"])
    assert list(rows) == ["label", "image"]
    assert rows["image"].shape == (1797, *shape)
    assert rows["image"].dtype == np.float32
    assert rows["image"].min() == 0
    assert rows["image"].max() == 1
    assert rows["label"].dtype == np.int64
    assert np.bincount(rows["label"]).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert list(source.read(["label"])) == ["label"]


def test_equals_scikit_learn() -> None:
    digits = pytest.importorskip("sklearn.datasets").load_digits()
    rows = Digits(flatten=False).read(["image", "label"])
    assert np.array_equal(rows["image"][:, 0] * 16, digits.images)
    assert np.array_equal(rows["label"], digits.target)


def test_columns_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("opened")

    monkeypatch.setattr(np, "load", refuse)
    monkeypatch.setattr(importlib.import_module("importlib.resources"), "files", refuse)
    Digits().columns()
    with pytest.raises(AssertionError, match="opened"):
        Digits().read(["label"])


def test_the_licence_lies_beside_the_data() -> None:
    licence = (files("declnet.data.sources") / "digits.LICENSE").read_text(encoding="utf-8")
    for words in (
        "Alpaydin",
        "Kaynak",
        "CC BY 4.0",
        "10.24432/C50P49",
        "creativecommons.org/licenses/by/4.0",
    ):
        assert words in licence
