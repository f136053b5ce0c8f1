"""Makes the golden files anew from the case tables and PyTorch 2.13.0.

Run in the checkout: `PYTHONPATH=.:tests python -m golden.make [FAMILY...]`; all families where none is named.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import numpy as np
import torch

from components import oracle
from components.cases.case import Case, Subject
from components.cases.tables import FAMILIES
from components.harness import DTYPES, material
from declnet.core.component import Module
from declnet.core.spec import Array
from golden import files

TORCH = "2.13.0"


def fields(subject: Subject, case: Case) -> dict[str, Array]:
    """The material of a case and PyTorch's results."""
    component, numbers = subject(case.arguments), material(subject, case)
    found = numbers.flat()
    for dtype in DTYPES:
        train = {} if case.random else oracle.measure(component, numbers, dtype)
        found |= {f"{dtype}.train.{name}": array for name, array in train.items()}
        if isinstance(component, Module):
            for name, array in oracle.measure(component, numbers, dtype, training=False).items():
                if name not in train or not np.array_equal(array, train[name], equal_nan=True):
                    found[f"{dtype}.eval.{name}"] = array
    return found


def records(subjects: Iterable[Subject]) -> dict[str, Array]:
    """A record for each case of these components."""
    return {f"{subject}{case}": files.pack(fields(subject, case)) for subject in subjects for case in subject.cases}


def main(families: Sequence[str]) -> None:
    """Write the files of these families."""
    if torch.__version__.partition("+")[0] != TORCH:
        raise SystemExit(f"the golden files are PyTorch {TORCH}'s; this is {torch.__version__}")
    for family in families:
        files.write(family, FAMILIES[family], records(FAMILIES[family]))


if __name__ == "__main__":
    main(sys.argv[1:] or list(FAMILIES))
