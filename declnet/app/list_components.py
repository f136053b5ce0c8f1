"""`declnet list-components`: what a config can name, and what each of them takes."""

from __future__ import annotations

import inspect
from typing import Any

from pydantic import BaseModel

from declnet.app.output import print_json, table, write
from declnet.config.expected import in_words
from declnet.core.component import Component
from declnet.core.registry import REGISTRIES, family
from declnet.core.suggest import any_of, did_you_mean
from declnet.errors import ConfigError

Entry = tuple[str, str, type[Component]]


def list_components(name: str | None, wanted: str | None, *, as_json: bool) -> None:
    """Print the list, a family of it, or one component."""
    entries = [(name, family(cls), cls) for registry in REGISTRIES for name, cls in registry.load().items()]
    families = list(dict.fromkeys(entry[1] for entry in entries))
    if wanted is not None and wanted not in families:
        near = did_you_mean(wanted, families) or f"; there is {any_of(families, 'and')}"
        raise ConfigError(f"no family {wanted!r}{near}")
    chosen = [entry for entry in entries if wanted in (None, entry[1])]
    if name is not None:
        _one(chosen, name, as_json=as_json)
        return
    if as_json:
        print_json([_describe(*entry) for entry in chosen])
        return
    rows = [(title, group, cls.pytorch or "", _summary(cls)) for title, group, cls in chosen]
    table(f"{len(rows)} components", ("name", "family", "PyTorch", "what it does"), rows, left=(0, 1, 2, 3))


def _one(entries: list[Entry], name: str, *, as_json: bool) -> None:
    found = [entry for entry in entries if entry[0] == name]  # a module and a transform may have the same name
    if not found:
        near = did_you_mean(name, [entry[0] for entry in entries]) or "; declnet list-components shows all"
        raise ConfigError(f"no component {name!r}{near}")
    if as_json:
        described = [_describe(*entry) for entry in found]
        print_json(described if len(described) > 1 else described[0])
        return
    for number, entry in enumerate(found):
        if number:
            write()
        _explain(*entry)


def _explain(name: str, group: str, cls: type[Component]) -> None:
    counterpart = f", PyTorch's {cls.pytorch}" if cls.pytorch else ""
    write(f"{name} ({group}{counterpart})\n")
    write(inspect.getdoc(cls) or "")
    rows = [(arg["name"], arg["takes"], arg["shown"]) for arg in _arguments(cls)]
    if rows:
        write()
        table("Arguments", ("name", "type", "default"), rows, left=(0, 1, 2))


def _describe(name: str, group: str, cls: type[Component]) -> dict[str, object]:
    arguments = [{key: value for key, value in arg.items() if key != "shown"} for arg in _arguments(cls)]
    return {
        "name": name,
        "family": group,
        "pytorch": cls.pytorch,
        "summary": _summary(cls),
        "documentation": inspect.getdoc(cls),
        "arguments": arguments,
        "left_out": cls.refused,
    }


def _arguments(cls: type[Component]) -> list[dict[str, Any]]:
    """Name, type in words with its limits, default; `shown` is the default as a config writes it."""
    arguments = []
    for name, field in cls.model_fields.items():
        if name == "type":
            continue
        required = field.is_required()
        default = None if required else field.get_default(call_default_factory=True)
        arguments.append(
            {
                "name": name,
                "takes": in_words(field.annotation, field.metadata),
                "required": required,
                "default": list(default) if isinstance(default, tuple) else default,
                "shown": "required" if required else _written(default),
            }
        )
    return arguments


def _written(value: object) -> str:
    """A default as one would write it in a config."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, BaseModel):
        return str(getattr(value, "type", value))
    return f"[{', '.join(map(_written, value))}]" if isinstance(value, tuple) else str(value)


def _summary(cls: type[Component]) -> str:
    return (inspect.getdoc(cls) or "").split("\n", 1)[0]
