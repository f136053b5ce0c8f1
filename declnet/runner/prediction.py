"""A file of rows in, a file of predictions out, in memory that does not grow with either."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from declnet.errors import ConfigError
from declnet.runner.files import machine, replacing
from declnet.runner.incoming import rows
from declnet.runner.outgoing import Form, writing
from declnet.runner.predict import Predictor
from declnet.runner.readings import tell, told
from declnet.runner.trained import Trained

FORMS: dict[str, Form] = {".csv": "csv", ".jsonl": "jsonl", ".npz": "npz"}
"""By the ending of the output's name."""


def predict(
    trained: Trained,
    source: Path | BinaryIO,
    target: Path | BinaryIO,
    form: Form | None = None,
    *,
    probabilities: bool = False,
) -> int:
    """Predict for each row of a file; how many there were. An output file is there whole or, after an error, not at
    all.

    Raises:
        ConfigError: the form of the output is not known, or the network tells nothing of single rows.
        DataError: the input cannot be read, or a row holds what the model cannot take.
        CheckpointError: the checkpoint is of another model.
        MachineError: the output cannot be written.
    """
    form = form or _form(target)
    predictor = Predictor(trained)
    experiment, size = predictor.experiment, predictor.batch_size
    items = told(experiment, predictor.learned, probabilities=probabilities)
    folder = target.parent if isinstance(target, Path) else None
    count = 0
    with (
        predictor.running(),
        _opened(target) as file,
        writing(form, file, items, experiment.config.dtype, folder) as write,
    ):
        for outputs in predictor.batches(rows(source, experiment, predictor.learned, size), size):
            batch = tell(items, outputs)
            write(batch)
            count += len(outputs[0])
    return count


def _form(target: Path | BinaryIO) -> Form:
    if not isinstance(target, Path):
        return "csv"
    form = FORMS.get(target.suffix.lower())
    if form is None:
        raise ConfigError(f"{target}: the ending says no format; end it in {', '.join(FORMS)}, or give --format")
    return form


@contextmanager
def _opened(target: Path | BinaryIO) -> Iterator[BinaryIO]:
    if not isinstance(target, Path):
        yield target
        return
    with machine(f"write {target}"):
        if target.exists() and not target.is_file():  # a rename would put a file in a device's place
            raise ConfigError(f"{target}: not a regular file; - writes to stdout")
    with replacing(target) as file:
        yield file
