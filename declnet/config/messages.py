"""Messages for what pydantic refuses and for keys nobody knows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from declnet.config.document import scalar
from declnet.config.expected import choices, got, in_words, members, type_at
from declnet.config.loop import EarlyStopping, Loop
from declnet.config.schema import Config, Data, Init, Scheduling
from declnet.config.split import Split
from declnet.core.component import Component, Settings
from declnet.core.registry import REGISTRIES, Registry, optimizers
from declnet.core.suggest import any_of, nearest
from declnet.core.wrapper import Wrapper
from declnet.errors import Path, PluginError
from declnet.records import record

SECTIONS: dict[str, type[Settings]] = {
    "": Config,
    "data": Data,
    "data.split": Split,
    "init": Init,
    "scheduler": Scheduling,
    "loop": Loop,
    "loop.early_stopping": EarlyStopping,
}
"""Where a key can belong, beside the components."""


CHILDREN = ("layers", "modules", "values", "parameters")
"""What the wrappers call what they hold: each its own way, as PyTorch does."""


@record
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
            if not path and detail["type"] == "value_error":
                path = _field_of(cls, detail, values)
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


def _field_of(cls: type[BaseModel], detail: ErrorDetails, values: dict[str, Any]) -> Path:
    """What a check of a whole model is about: its message begins with the field's name, or it is the whole."""
    name = detail["msg"].removeprefix("Value error, ").split(" ", 1)[0]
    return (name,) if name in cls.model_fields and name in values else ()


def _message(cls: type[BaseModel], detail: ErrorDetails, path: Path, value: Any) -> str:
    context = detail.get("ctx", {})
    if detail["type"] == "value_error":
        return str(context["error"])
    if detail["type"] in _RULES:
        return f"{_RULES[detail['type']](context)}, got {got(value)}"
    kind = type_at(cls.model_fields[str(path[0])].annotation, path[1:])
    near = nearest(value, choices(kind)) if isinstance(value, str) else None
    hint = f"; did you mean {near!r}?" if near else _spelling(kind, value)
    return f"expected {in_words(kind)}, got {got(value)}{hint}"


def _spelling(kind: Any, value: Any) -> str:
    """How to write what was probably meant: a number that is quoted, YAML 1.1's yes and no."""
    words = {"yes": "true", "on": "true", "no": "false", "off": "false"}
    if isinstance(value, int | float) and in_words(kind).startswith(("a text", "a name,")):
        return f'; put it in quotes: "{got(value)}"'
    if not isinstance(value, str):
        return ""
    if bool in members(kind) and (word := words.get(value.lower())):
        return f"; write {word}"
    try:
        number = scalar(value)
    except ValueError:
        return ""
    fits = type(number) in members(kind) or (type(number) is int and float in members(kind))
    return "; without the quotes it is one" if fits and type(number) in (int, float) else ""


def _title(cls: type[BaseModel]) -> str:
    """What a message calls a model."""
    if issubclass(cls, Settings):
        return cls.called or cls.__name__.lower()
    return str(cls.model_fields["type"].default)


def _purpose(cls: type[BaseModel], name: str) -> str:
    text = cls.model_fields[name].description
    return f": {text}" if text else ""


def unknown_key(
    cls: type[BaseModel], key: str, given: Collection[str], root: dict[str, Any], also: Sequence[str]
) -> tuple[str, str | None]:
    """The message for a key that a model does not have, and the field that was probably meant.

    `given` are the keys that are there, `also` keys that may stand beside the model's own.
    """
    title = _title(cls)
    reason = cls.refused.get(key) if issubclass(cls, Component) else None
    if reason is not None:
        return f"{title} takes no {key!r} here: {reason}", None
    names = [*cls.model_fields, *also]
    # One that is not there yet is more likely; of those that are, only the same word could be meant.
    meant = nearest(key, [name for name in names if name not in given])
    if meant is None and issubclass(cls, Wrapper) and key in CHILDREN and cls.children not in given:
        meant = cls.children
    if meant is not None:
        return f"unknown key {key!r}; did you mean {meant!r}?", meant
    places = [f"{section}.{key}".strip(".") for section, model in SECTIONS.items() if key in model.model_fields]
    if key != "type" and not issubclass(cls, Component) and key in _arguments(optimizers, root.get("optimizer")):
        places.insert(0, f"optimizer.{key}")
    if places:
        where = [place if "." in place else f"{place}, at the top level" for place in places]
        return f"unknown key {key!r}; it belongs elsewhere: {any_of(where)}", None
    if (there := nearest(key, names)) is not None:
        return f"unknown key {key!r}; did you mean {there!r}, which is there already?", None
    owners = _owners(key) if issubclass(cls, Component) else []
    if owners:
        return f"{title} has no {key!r}: that is an argument of {any_of(owners, 'and')}", None
    known = [name for name in cls.model_fields if name != "type"]
    takes = f"it takes {any_of(known, 'and')}" if known else "it takes no arguments"
    beside = f"; beside them stand {any_of(also, 'and')}" if also and issubclass(cls, Component) else ""
    return f"unknown key {key!r}; {takes}{beside}", None


def _arguments(registry: Registry[Any], raw: Any) -> set[str]:
    """The arguments of the component that a section names."""
    name = raw.get("type") if isinstance(raw, dict) else raw
    try:
        cls = registry.get(name) if isinstance(name, str) else None
    except PluginError:  # whoever reads that section reports it
        return set()
    return set() if cls is None else set(cls.model_fields)


def _owners(key: str) -> list[str]:
    """The components that have an argument of this name."""
    return [name for registry in REGISTRIES for name, cls in registry.own().items() if key in cls.model_fields]
