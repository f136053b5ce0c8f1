"""The data of the examples: what is committed is what the script writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from declnet.data.sources.csv import CSV
from tools import make_curve

PENGUINS = make_curve.TARGET.parent / "penguins_teacher.csv"


def test_the_curve(folder: Path) -> None:
    make_curve.make(folder / "curve.csv")
    assert (folder / "curve.csv").read_bytes() == make_curve.TARGET.read_bytes()


def test_the_teacher_gives_probabilities_and_is_mostly_right() -> None:
    names = ["p_adelie", "p_chinstrap", "p_gentoo"]
    table = CSV(path=PENGUINS).read(["species", *names])
    shares = np.stack([table[name] for name in names], axis=1)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=2e-6)
    assert np.mean(shares.argmax(axis=1) == table["species"]) >= 0.98
