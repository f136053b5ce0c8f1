"""Train neural networks from one YAML file: PyTorch's mental map, declared, on NumPy alone.

The Python API is `declnet.train`, `declnet.resume` and `declnet.load`, with what they give and raise: see
`declnet.api`.
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from declnet.api import (
        BusyError,
        CheckpointError,
        ConfigError,
        CrossValidation,
        DataError,
        DeclnetError,
        Diagnostic,
        EpochEnded,
        Event,
        Finished,
        FoldEnded,
        Interrupted,
        MachineError,
        NonFiniteError,
        Run,
        Started,
        Stepped,
        load,
        resume,
        train,
    )

__all__ = [
    "BusyError",
    "CheckpointError",
    "ConfigError",
    "CrossValidation",
    "DataError",
    "DeclnetError",
    "Diagnostic",
    "EpochEnded",
    "Event",
    "Finished",
    "FoldEnded",
    "Interrupted",
    "MachineError",
    "NonFiniteError",
    "Run",
    "Started",
    "Stepped",
    "load",
    "resume",
    "train",
]


def __getattr__(name: str) -> object:
    """Import the API when something of it is asked for: the command line starts without NumPy."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from declnet import api

    return getattr(api, name)
