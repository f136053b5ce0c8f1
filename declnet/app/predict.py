"""`declnet predict`: rows from a file or stdin, predictions to a file or stdout."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import BinaryIO

from declnet.app.output import count, write, written
from declnet.errors import MachineError
from declnet.runner.outgoing import Form
from declnet.runner.prediction import predict as run
from declnet.runner.trained import Trained, Which


def predict(
    path: Path, source: Path, target: Path, form: Form | None, which: Which, *, probabilities: bool
) -> None:
    """Predict; say how many rows there were, if the predictions are not on stdout themselves."""
    trained = Trained(path, which)
    incoming = _stdin() if str(source) == "-" else source
    if str(target) == "-":
        # What stands in for a stdout that is not there takes no bytes.
        with written():
            run(trained, incoming, getattr(sys.stdout, "buffer", io.BytesIO()), form, probabilities=probabilities)
        return
    rows = run(trained, incoming, target, form, probabilities=probabilities)
    write(f"{count(rows)} row{'s' * (rows != 1)} predicted, written to {target}")


def _stdin() -> BinaryIO:
    if sys.stdin is None:
        raise MachineError("cannot read stdin: it is closed")
    return sys.stdin.buffer
