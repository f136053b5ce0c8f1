"""The JSON Schema of configs, for editors that complete and check by it: made from the classes that read them.

It accepts whatever they accept, and refuses each value and key that is wrong by itself. Rules between keys
(shares that sum to more than 1), names that refer to nothing, and shapes are for `declnet validate`.
"""

from __future__ import annotations

import json
import re
import types
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import WithJsonSchema
from pydantic.fields import FieldInfo

from declnet.config.docstrings import arguments, summary
from declnet.config.expected import a, members
from declnet.config.json_keywords import RANGE, TYPES, Schema, closed, limited, merged, ref, said, takes_references
from declnet.config.read import ROLES
from declnet.config.schema import (
    IDENTIFIER,
    Config,
    Matching,
    MetricWiring,
    Scheduling,
    Shorthand,
    TermWiring,
    Tuning,
    Use,
    Wiring,
)
from declnet.core.component import Component, Settings
from declnet.core.metric import Measure
from declnet.core.optimizer import Optimizer, Tuned
from declnet.core.registry import REGISTRIES, Registry, losses, metrics, modules, optimizers, schedulers
from declnet.core.scheduler import Scheduled
from declnet.core.wrapper import Node, Term

_NAMED: Final[dict[Any, Registry[Any]]] = ROLES | {
    Node: modules,
    Term: losses,
    Measure: metrics,
    Tuned: optimizers,
    Scheduled: schedulers,
}
"""What a key of one of these types may name."""

_BESIDE: Final[dict[str, type[Settings]]] = {
    modules.role: Wiring,
    losses.role: TermWiring,
    metrics.role: MetricWiring,
    schedulers.role: Scheduling,
}
"""The keys that stand beside a component's own, by its role. An optimizer's groups depend on the optimizer."""

_CHOICES: Final = [ref(registry.role) for registry in REGISTRIES]


def _mergeable(cls: type[Settings]) -> Iterator[str]:
    """The roles of the components that stand in the config itself, in no list."""
    for field in cls.model_fields.values():
        for member in members(field.annotation):
            if member in _NAMED:
                yield _NAMED[member].role
            elif isinstance(member, type) and issubclass(member, Settings):
                yield from _mergeable(member)


_MERGED: Final = {*_mergeable(Config)}
"""Roles of mappings that `extends` merges, so that a part of one is right there; lists are replaced as a whole."""

_REFERENCE: Final[Schema] = {
    "type": "string",
    "pattern": r"\$\{[^}]*\}",
    "description": "the value at another path of the file, such as ${vars.hidden}",
}
_BEFORE: Final[Schema] = {
    "extends": {"type": "string", "description": Config.model_fields["extends"].description},
    "vars": {"type": ["object", "null"], "description": Config.model_fields["vars"].description},
}
"""Keys that are carried out before a file is read as a config: what those take that carry them out."""


def json_schema(*, plugins: bool = True) -> Schema:
    """The schema of a whole config, with the installed plug-ins or without."""
    writer = _Writer()
    for registry in REGISTRIES:
        known = registry.load() if plugins else {name: registry[name] for name in registry.files}
        writer.role(registry, known)
    sections = writer.properties(Config)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "declnet config",
        "description": "One file declares data, model, loss, optimizer and loop.",
        **closed(_BEFORE | {key: takes for key, takes in sections.items() if key not in _BEFORE}),
        "if": _has("extends"),
        "else": _needs(Config),
        "$defs": {
            "reference": _REFERENCE,
            "name": {"type": "string", "pattern": IDENTIFIER},
            **dict(sorted(writer.definitions.items())),
        },
    }


class _Writer:
    """Writes schemas, and collects the definitions that they refer to."""

    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = {}

    def role(self, registry: Registry[Any], known: dict[str, type[Component]]) -> None:
        """Define the components of a role, and the choice among them: by name alone, or in a mapping."""
        for name, cls in known.items():
            self.definitions[f"{registry.plural}.{name}"] = self.component(registry, name, cls)
        kind = {"description": f"the name of {a(registry.role)}", "anyOf": [_names(known), ref("reference")]}
        bare = {name: cls for name, cls in known.items() if not _required(cls)}
        choice: Schema = {
            "anyOf": [_names(bare), {"type": "object"}, ref("reference")],
            "properties": {"type": kind},
            "allOf": [_where(name, ref(f"{registry.plural}.{name}")) for name in known],
        }
        if registry is modules:
            choice["properties"] |= {"use": self.keys(Use)["use"]}
            choice |= {"if": _has("use"), "then": self.settings(Use), "else": {"required": ["type"]}}
        elif registry.role in _MERGED:
            needs = [_where(name, needs) for name, cls in known.items() if (needs := _needs(cls))]
            whole = {"required": ["type"]} | ({"allOf": needs} if needs else {})
            self.definitions[f"{registry.role}.whole"] = whole
        else:
            choice["required"] = ["type"]
        self.definitions[registry.role] = choice

    def component(self, registry: Registry[Any], name: str, cls: type[Component]) -> Schema:
        """A component's own keys, and those beside them."""
        beside = _BESIDE.get(registry.role)
        properties = {"type": {"const": name}} | self.properties(cls, arguments(cls))
        if beside is not None:
            properties |= self.keys(beside)
        if issubclass(cls, Optimizer):
            properties |= self.groups(name, cls)
        needs = _needs(cls) if registry.role not in _MERGED else {}
        inner = {"allOf": [{"properties": needs.pop("properties")}]} if "properties" in needs else {}
        return {"title": name, "description": summary(cls), **closed(properties), **needs, **inner}

    def groups(self, name: str, cls: type[Optimizer]) -> dict[str, Schema]:
        """Settings of this optimizer for some parameters. One that calls the closure itself takes none."""
        own = {key: ref(f"optimizers.{name}/properties/{key}") for key in _fields(cls)}
        group = closed(self.keys(Matching) | own) | _needs(Matching)
        several = {"maxItems": 0} if cls.calls_closure else {"items": {"anyOf": [group, ref("reference")]}}
        takes = {"anyOf": [{"type": "array"} | several, ref("reference")]}
        return {key: takes | said(field) for key, field in Tuning.model_fields.items()}

    def settings(self, cls: type[Settings]) -> Schema:
        """The keys of a mapping that is no component, defined once."""
        own = cls.__module__.split(".")[0] == __name__.split(".")[0]
        name = cls.__qualname__ if own else f"{cls.__module__}.{cls.__qualname__}"
        if name not in self.definitions:
            self.definitions[name] = closed(self.properties(cls))
        return ref(name)

    def keys(self, cls: type[Settings]) -> dict[str, Schema]:
        """The same keys, to stand in another mapping."""
        home = self.settings(cls)["$ref"]
        return {key: {"$ref": f"{home}/properties/{key}"} for key in cls.model_fields}

    def properties(self, cls: type[Settings | Component], texts: dict[str, str] | None = None) -> dict[str, Schema]:
        """What each key takes; the texts say what it means where the field itself does not."""
        return {
            key: self.value(field.annotation, field.metadata) | said(field, (texts or {}).get(key))
            for key, field in _fields(cls).items()
        }

    def value(self, annotation: Any, metadata: Sequence[Any] = ()) -> Schema:
        """What a key of this type takes: its values, and a reference to one."""
        options = merged([*self.options(annotation, metadata)])
        if any(takes_references(option) or option in _CHOICES for option in options):
            return options[0] if len(options) == 1 else {"anyOf": options}
        schema: Schema = {"anyOf": [*options, ref("reference")]}
        if len(options) > 1 or not options[0].keys() <= {"type", *RANGE.values()}:
            return schema
        # Most keys take a number or a boolean, and the same ones: each is defined once, `number.minimum.0`.
        name = ".".join(re.findall(r"[\w.-]+", json.dumps(options[0]))[1:])
        self.definitions[name] = schema
        return ref(name)

    def options(self, annotation: Any, metadata: Sequence[Any] = ()) -> Iterator[Schema]:
        """The schemas of the members of a union; of another type, its own and that of its shorthand."""
        given = [item.json_schema for item in metadata if isinstance(item, WithJsonSchema) and item.json_schema]
        if given:
            yield given[0]
        elif get_origin(annotation) is Annotated:
            inner, *more = get_args(annotation)
            yield from self.options(inner, [*more, *metadata])
        elif get_origin(annotation) in (Union, types.UnionType):
            for member in get_args(annotation):
                yield from self.options(member, metadata)
        elif annotation in _NAMED:
            yield ref(_NAMED[annotation].role)
        else:
            yield limited(self.one(annotation), metadata)
            for item in metadata:
                if isinstance(item, Shorthand):
                    yield from self.options(item.type)

    def one(self, kind: Any) -> Schema:
        """The schema of a type that is neither a union nor constrained; of one unknown here, of anything."""
        parts = get_args(kind)
        if kind in TYPES:
            return {"type": TYPES[kind]}
        if get_origin(kind) is Literal:
            return {"enum": [*parts]}
        if get_origin(kind) is tuple and parts[-1:] == (...,):
            return {"type": "array", "items": self.item(parts[0])}
        if get_origin(kind) is tuple and parts:
            items = [*map(self.item, parts)]
            # Validators of before 2020 know only the form for items that are all alike.
            each = {"items": items[0]} if all(item == items[0] for item in items) else {"prefixItems": items}
            return {"type": "array", **each, "minItems": len(items), "maxItems": len(items)}
        if get_origin(kind) is dict:
            names = {"propertyNames": ref("name")} if parts[0] is str else {}  # patterns of names are free
            return {"type": "object", **names, "additionalProperties": self.value(parts[1])}
        if isinstance(kind, type) and issubclass(kind, Settings):
            return self.settings(kind)
        return {}

    def item(self, annotation: Any) -> Schema:
        """What an item of a list takes, and what it must have: lists are not merged."""
        whole = _whole(annotation)
        return {"allOf": [self.value(annotation), whole]} if whole else self.value(annotation)


def _has(key: str) -> Schema:
    """A mapping with this key. `required` alone would hold for a text, too: it says nothing but of mappings."""
    return {"type": "object", "required": [key]}


def _where(name: str, then: Schema) -> Schema:
    """What holds for the component of this name."""
    return {"if": _has("type") | {"properties": {"type": {"const": name}}}, "then": then}


def _names(known: dict[str, type[Component]]) -> Schema:
    """The names. Editors show what each of them is; `enumDescriptions` is theirs, and means nothing to others."""
    return {"enum": [*known], "enumDescriptions": [summary(cls) for cls in known.values()]}


def _fields(cls: type[Settings | Component]) -> dict[str, FieldInfo]:
    """The keys of a mapping, but for the type of a component, which is how it was chosen."""
    return {k: field for k, field in cls.model_fields.items() if k != "type" or not issubclass(cls, Component)}


def _required(cls: type[Settings | Component]) -> list[str]:
    """The keys without a default. A config that has no name is called like its file."""
    required = [key for key, field in _fields(cls).items() if field.is_required()]
    return [key for key in required if (cls, key) != (Config, "name")]


def _needs(cls: type[Settings | Component]) -> Schema:
    """What a mapping must have, itself and in the mappings within it, where no other file fills it in."""
    required = _required(cls)
    inner = {key: whole for key, field in cls.model_fields.items() if (whole := _whole(field.annotation))}
    return ({"required": required} if required else {}) | ({"properties": inner} if inner else {})


def _whole(annotation: Any) -> Schema:
    """What a value of this type must have; the items of a list say so themselves."""
    for member in members(annotation):
        if member in _NAMED and _NAMED[member].role in _MERGED:
            return ref(f"{_NAMED[member].role}.whole")
        if isinstance(member, type) and issubclass(member, Settings):
            return _needs(member)
        if get_origin(member) is dict and (inner := _whole(get_args(member)[1])):
            return {"additionalProperties": inner}
    return {}
