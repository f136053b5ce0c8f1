"""Write declnet/data/sources/digits.npz from scikit-learn's copy: `python tests/tools/pack_digits.py`."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits  # type: ignore[import-untyped] # it has no stubs

TARGET = Path(__file__).parents[2] / "declnet" / "data" / "sources" / "digits.npz"


def pack(target: Path) -> None:
    """The same bytes each time: NumPy dates the members of its archives 1980."""
    digits = load_digits()
    np.savez_compressed(target, image=digits.data.astype(np.uint8), label=digits.target.astype(np.uint8))


if __name__ == "__main__":
    pack(TARGET)
