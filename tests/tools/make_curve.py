"""Write configs/data/curve.csv, noisy points of a damped wave: `python tests/tools/make_curve.py`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

TARGET = Path(__file__).parents[2] / "configs" / "data" / "curve.csv"

ROWS = 200
NOISE = 0.05
"""Standard deviation of what is added to the wave: no curve comes closer to new points than its square."""


def make(target: Path) -> None:
    """y = exp(-x / 3) * cos(2 * x) + noise, for x spread evenly over 0 to 8, with four decimals."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 8, ROWS)
    y = np.exp(-x / 3) * np.cos(2 * x) + NOISE * rng.standard_normal(ROWS)
    lines = [f"{one:.4f},{other:.4f}" for one, other in zip(x, y, strict=True)]
    target.write_text("\n".join(["x,y", *lines]) + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    make(TARGET)
