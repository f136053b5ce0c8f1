"""The examples in configs/. Two of them read data that do not come with declnet: elsewhere than in
tests/test_results.py they get stand-ins of the same form, so that these tests need no data and take no time.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent.parent / "configs"
CONFIGS = sorted(FOLDER.rglob("*.yaml"))

IMAGES, CHARACTERS = 100, 65
WINDOWS = 40
"""Of 128 characters each."""


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


def pointed_at(path: Path, folder: Path) -> list[str]:
    """What to say on the command line so that a config reads the data in a folder."""
    return [f"vars.folder={folder}"] if "${vars.folder}" in path.read_text(encoding="utf-8") else []
