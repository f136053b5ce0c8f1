"""A config as plain data, complete: every default and every inferred argument written out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel

from declnet.core.metric import Measure
from declnet.core.optimizer import Override, Tuned
from declnet.core.scheduler import Scheduled
from declnet.core.wrapper import Node, Term


def plain(model: BaseModel, folder: Path) -> dict[str, object]:
    """Mappings, lists and scalars that read back to the same config from a file in `folder`."""
    fields = type(model).model_fields
    return {name: _plain(getattr(model, name), folder) for name, field in fields.items() if not field.exclude}


def _plain(value: object, folder: Path) -> object:
    if isinstance(value, Node):
        return _node(value, folder)
    if isinstance(value, Term | Measure):
        inputs = {} if value.inputs is None else {"inputs": _plain(value.inputs, folder)}
        own = value.loss if isinstance(value, Term) else value.metric
        return plain(own, folder) | inputs | ({"scale": value.scale} if isinstance(value, Term) else {})
    if isinstance(value, Tuned):
        groups = [_plain(group, folder) for group in value.groups]
        return plain(value.optimizer, folder) | ({"groups": groups} if groups else {})
    if isinstance(value, Scheduled):
        warmup = {"warmup": value.warmup, "warmup_start": value.warmup_start}
        monitor = {} if value.monitor is None else {"monitor": value.monitor}
        return plain(value.scheduler, folder) | {"interval": value.interval} | warmup | monitor
    if isinstance(value, Override):
        changed = {name: _plain(getattr(value.optimizer, name), folder) for name in value.changed}
        return {"match": list(value.match)} | changed
    if isinstance(value, BaseModel):
        return plain(value, folder)
    if isinstance(value, Mapping):
        return {key: _plain(item, folder) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item, folder) for item in value]
    if isinstance(value, Path):
        # Through links, or `..` would lead elsewhere; but the file keeps its own name.
        return _text(
            os.path.relpath(os.path.realpath(value.parent) + os.sep + value.name, os.path.realpath(folder))
        )
    return _text(value) if isinstance(value, str) else value


def _text(value: str) -> str:
    """A text that means itself where references are replaced."""
    return value.replace("${", "$${")


def _node(node: Node, folder: Path) -> dict[str, object]:
    """A component's arguments, then what else its node says."""
    if node.use is not None:
        own: dict[str, object] = {"use": node.use}
    elif node.component is not None:
        own = plain(node.component, folder)
    else:
        raise AssertionError("a config that was checked has no unknown component")
    for key in ("name", "inputs", "calls", "repeat", "init", "freeze"):
        value = getattr(node, key)
        if value is not None and value != {}:
            own[key] = _plain(value, folder)
    return own
