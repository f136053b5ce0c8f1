"""A config as plain data, complete: every default and every inferred argument written out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel

from declnet.core.wrapper import Node


def plain(model: BaseModel, folder: Path) -> dict[str, object]:
    """Mappings, lists and scalars that read back to the same config from a file in `folder`."""
    return {name: _plain(getattr(model, name), folder) for name in type(model).model_fields}


def _plain(value: object, folder: Path) -> object:
    if isinstance(value, Node):
        if value.component is None:
            raise AssertionError("a config that was checked has no unknown component")
        wiring = {"name": value.name, "inputs": _plain(value.inputs, folder)}
        return plain(value.component, folder) | {key: item for key, item in wiring.items() if item is not None}
    if isinstance(value, BaseModel):
        return plain(value, folder)
    if isinstance(value, Mapping):
        return {key: _plain(item, folder) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item, folder) for item in value]
    if isinstance(value, Path):
        # Through links, or `..` would lead elsewhere; but the file keeps its own name.
        return os.path.relpath(os.path.realpath(value.parent) + os.sep + value.name, os.path.realpath(folder))
    return value
