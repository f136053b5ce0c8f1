"""Runs the command on a number of threads, with certain kernels of OpenBLAS: a program, for both are chosen once.

From its environment OpenBLAS takes no more threads than there are CPUs. Arguments: how many threads; the kernels,
or an empty word for those that declnet chooses; and what declnet is given.
"""

from __future__ import annotations

import os
import sys

from declnet.app import main
from declnet.app.openblas import KERNELS, prepare


def use(count: int, kernels: str) -> None:
    """Load NumPy as declnet does, and give it so many threads."""
    if kernels:
        os.environ[KERNELS] = kernels
    prepare(os.environ)
    from declnet.core import threads

    functions = threads._openblas()
    assert functions is not None, "NumPy computes with something else than OpenBLAS"
    functions[1](count)
    assert threads.given() == count


if __name__ == "__main__":
    use(int(sys.argv.pop(1)), sys.argv.pop(1))
    sys.exit(main())
