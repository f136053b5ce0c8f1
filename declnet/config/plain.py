"""A config as plain data, complete: every default and every inferred argument written out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel

from declnet.core.wrapper import Node


def plain(value: object, folder: Path) -> object:
    """Mappings, lists and scalars that read back to the same config from a file in `folder`."""
    if isinstance(value, Node):
        component = plain(value.component, folder)
        if not isinstance(component, dict):
            raise AssertionError("a config that was checked has no unknown component")
        wiring = {"name": value.name, "inputs": plain(value.inputs, folder)}
        return component | {key: item for key, item in wiring.items() if item is not None}
    if isinstance(value, BaseModel):
        names = sorted(type(value).model_fields, key=lambda name: name != "type")  # a component's type comes first
        return {name: plain(getattr(value, name), folder) for name in names}
    if isinstance(value, Mapping):
        return {key: plain(item, folder) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item, folder) for item in value]
    if isinstance(value, Path):
        return os.path.relpath(value, folder)
    return value
