"""Messages for what pydantic refuses and for keys nobody knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from declnet.config.expected import choices, got, in_words, type_at
from declnet.config.schema import Config, Data, Loop, Settings, Split
from declnet.config.suggest import any_of, nearest
from declnet.core.component import Component
from declnet.core.registry import REGISTRIES
from declnet.errors import Path

SECTIONS: dict[str, type[Settings]] = {"": Config, "data": Data, "data.split": Split, "loop": Loop}
"""Where a key can belong, beside the components."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One mistake within a model: the message, and the path from the model to it."""

    message: str
    path: Path
    missing: bool = False


def _bound(words: str) -> Callable[[dict[str, Any]], str]:
    """A message about a limit, which pydantic names after the kind of limit."""
    return lambda context: f"must be {words} {next(iter(context.values())):g}"


_RULES: dict[str, Callable[[dict[str, Any]], str]] = {
    "greater_than": _bound("greater than"),
    "greater_than_equal": _bound("at least"),
    "less_than": _bound("less than"),
    "less_than_equal": _bound("at most"),
    "finite_number": lambda _: "must be a finite number",
    "too_short": lambda context: f"needs at least {context['min_length']}",
}


def translate(cls: type[BaseModel], error: ValidationError, values: dict[str, Any]) -> Iterator[Refusal]:
    """One message for each wrong place: a union that pydantic reports member by member is one mistake."""
    seen: set[Path] = set()
    for detail in error.errors(include_url=False):
        path, value = _place(detail["loc"], values)
        if detail["type"] == "missing" and path == detail["loc"][:-1] and len(detail["loc"]) == 1:
            name = detail["loc"][0]
            yield Refusal(f"{_title(cls)} needs {str(name)!r}{_purpose(cls, str(name))}", (name,), missing=True)
        elif path not in seen:
            seen.add(path)
            yield Refusal(_message(cls, detail, path, value), path)


def _place(loc: Path, values: Any) -> tuple[Path, Any]:
    """The part of pydantic's location that is in the values: it adds the members of unions."""
    path: list[str | int] = []
    for part in loc:
        inside = (
            values if isinstance(values, dict) else dict(enumerate(values)) if isinstance(values, tuple) else {}
        )
        if part not in inside:
            break
        values = inside[part]
        path.append(part)
    return tuple(path), values


def _message(cls: type[BaseModel], detail: ErrorDetails, path: Path, value: Any) -> str:
    context = detail.get("ctx", {})
    if detail["type"] == "value_error":
        return str(context["error"])
    if detail["type"] in _RULES:
        return f"{_RULES[detail['type']](context)}, got {got(value)}"
    kind = type_at(cls.model_fields[str(path[0])].annotation, path[1:])
    near = nearest(value, choices(kind)) if isinstance(value, str) else None
    return f"expected {in_words(kind)}, got {got(value)}" + (f"; did you mean {near!r}?" if near else "")


def _title(cls: type[BaseModel]) -> str:
    """What a message calls a model."""
    return "the config" if cls is Config else "this" if issubclass(cls, Settings) else cls.__name__


def _purpose(cls: type[BaseModel], name: str) -> str:
    text = cls.model_fields[name].description
    return f": {text}" if text else ""


def unknown_key(
    cls: type[BaseModel], key: str, raw: dict[str, Any], root: dict[str, Any]
) -> tuple[str, str | None]:
    """The message for a key that a model does not have, and the field that was probably meant."""
    title = _title(cls)
    reason = cls.refused.get(key) if issubclass(cls, Component) else None
    if reason is not None:
        return f"{title} takes no {key!r} here: {reason}", None
    free = [name for name in cls.model_fields if name not in raw]
    meant = nearest(key, free)
    if meant is not None:
        return f"unknown key {key!r}; did you mean {meant!r}?", meant
    places = [f"{section}.{key}".strip(".") for section, model in SECTIONS.items() if key in model.model_fields]
    optimizer = root.get("optimizer")
    if not issubclass(cls, Component) and key in _arguments("optimizers", optimizer):
        places.insert(0, f"optimizer.{key}")
    if places:
        return f"unknown key {key!r}; it belongs elsewhere: {any_of(places)}", None
    known = any_of([name for name in cls.model_fields if name != "type"], "and") if cls.model_fields else ""
    owners = _owners(key)
    if issubclass(cls, Component) and owners:
        return f"{title} has no {key!r}: that is an argument of {any_of(owners, 'and')}", None
    takes = f"it takes {known}" if known else "it takes no arguments"
    return f"unknown key {key!r}; {takes}", None


def _arguments(plural: str, raw: Any) -> set[str]:
    """The arguments of the component that a section names."""
    name = raw.get("type") if isinstance(raw, dict) else raw
    for registry in REGISTRIES:
        if registry.plural == plural and isinstance(name, str) and (cls := registry.get(name)):
            return set(cls.model_fields)
    return set()


def _owners(key: str) -> list[str]:
    """The components that have an argument of this name."""
    return [name for registry in REGISTRIES for name, cls in registry.load().items() if key in cls.model_fields]
