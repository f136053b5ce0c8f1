"""Write configs/data/penguins_teacher.csv: the Palmer penguins, with a teacher's opinion of each.

`python tests/tools/make_penguins_teacher.py penguins.csv`. It needs scikit-learn, which declnet does not. The input
has the columns of the palmerpenguins package's `penguins.csv`: species, bill_length_mm, and so on.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, VotingClassifier  # type: ignore[import-untyped] # no stubs
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped] # no stubs
from sklearn.model_selection import StratifiedKFold, cross_val_predict  # type: ignore[import-untyped] # no stubs
from sklearn.pipeline import make_pipeline  # type: ignore[import-untyped] # no stubs
from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped] # no stubs

TARGET = Path(__file__).parents[2] / "configs" / "data" / "penguins_teacher.csv"
MEASURED = ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g")
TEMPERATURE = 2.0
"""Probabilities are taken to the power of its inverse: what the teacher holds possible shows more."""


def teach(source: Path, target: Path) -> None:
    """Penguins that were measured in full, each judged by a teacher fitted to nine tenths of them, without it."""
    with source.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if all(row[name] for name in MEASURED)]
    species = sorted({row["species"] for row in rows})
    measures = np.array([[float(row[name]) for name in MEASURED] for row in rows])
    classes = np.array([species.index(row["species"]) for row in rows])
    members = [("linear", LogisticRegression(C=10)), ("trees", ExtraTreesClassifier(300, random_state=0))]
    teacher = make_pipeline(StandardScaler(), VotingClassifier(members, voting="soft"))
    folds = StratifiedKFold(10, shuffle=True, random_state=0)
    judged = cross_val_predict(teacher, measures, classes, cv=folds, method="predict_proba")
    soft = judged ** (1 / TEMPERATURE)
    soft /= soft.sum(axis=1, keepdims=True)
    header = [*MEASURED, "species", *(f"p_{name.lower()}" for name in species)]
    lines = [
        [*(row[name] for name in MEASURED), str(index), *(f"{share:.6f}" for share in shares)]
        for row, index, shares in zip(rows, classes, soft, strict=True)
    ]
    text = "\n".join(map(",".join, [header, *lines])) + "\n"
    target.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    teach(Path(sys.argv[1]), TARGET)
