"""California housing by scikit-learn: the rows that an example's run has, prepared as its transforms do, and a
network of the same layers for the same number of epochs.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor  # type: ignore[import-untyped] # no stubs
from sklearn.impute import SimpleImputer  # type: ignore[import-untyped] # no stubs
from sklearn.neural_network import MLPRegressor  # type: ignore[import-untyped] # no stubs
from sklearn.pipeline import make_pipeline  # type: ignore[import-untyped] # no stubs
from sklearn.preprocessing import (  # type: ignore[import-untyped] # no stubs
    FunctionTransformer,
    OneHotEncoder,
    StandardScaler,
)

from declnet.core.spec import Array

TARGET = "median_house_value"
NUMBERS = ["longitude", "latitude", "housing_median_age", "median_income"]
AMOUNTS = ["total_rooms", "total_bedrooms", "population", "households"]
CATEGORY = "ocean_proximity"


def table(path: Path) -> tuple[Array, Array]:
    """The inputs, (rows, 9) of objects with nan for missing cells, and the target."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file)]
    cells = [[float(row[name] or "nan") for name in (*NUMBERS, *AMOUNTS)] + [row[CATEGORY]] for row in rows]
    return np.array(cells, object), np.array([float(row[TARGET]) for row in rows])


def housing_rmse(
    path: Path, train: Array, test: Array, *, hidden: tuple[int, ...], epochs: int, seed: int, **settings: object
) -> float:
    """What MLPRegressor reaches on the test rows, in dollars, with its own defaults but for these settings."""
    inputs, target = table(path)
    amounts = [SimpleImputer(strategy="median"), FunctionTransformer(np.log1p), StandardScaler()]
    prepared = ColumnTransformer(
        [
            ("numbers", StandardScaler(), [*range(len(NUMBERS))]),
            ("amounts", make_pipeline(*amounts), [*range(len(NUMBERS), len(NUMBERS + AMOUNTS))]),
            ("category", OneHotEncoder(handle_unknown="ignore"), [len(NUMBERS + AMOUNTS)]),
        ]
    )
    network = MLPRegressor(
        hidden_layer_sizes=hidden, max_iter=epochs, n_iter_no_change=epochs, random_state=seed, **settings
    )
    model = make_pipeline(prepared, TransformedTargetRegressor(network, transformer=StandardScaler()))
    model.fit(inputs[train], target[train])
    return float(np.sqrt(np.mean((model.predict(inputs[test]) - target[test]) ** 2)))
