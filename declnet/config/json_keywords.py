"""Types and limits in the keywords of JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from pydantic.fields import FieldInfo

Schema = dict[str, Any]

TYPES: Final[dict[object, str]] = {
    int: "integer",
    float: "number",
    str: "string",
    bool: "boolean",
    type(None): "null",
    Path: "string",
}
RANGE: Final = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
LIMITS: Final = {
    "integer": RANGE,
    "number": RANGE,
    "string": {"min_length": "minLength", "max_length": "maxLength"},
    "array": {"min_length": "minItems", "max_length": "maxItems"},
    "object": {"min_length": "minProperties", "max_length": "maxProperties"},
}
"""The keywords for pydantic's limits, by type."""


def ref(name: str) -> Schema:
    """A reference to a definition."""
    return {"$ref": f"#/$defs/{name}"}


def closed(properties: dict[str, Schema]) -> Schema:
    """A mapping with these keys and no others."""
    return {"type": "object", "properties": properties, "additionalProperties": False}


def said(field: FieldInfo, text: str | None = None) -> Schema:
    """The description and the default of a key."""
    description = field.description or text
    return ({"description": description} if description else {}) | _default(field)


def _default(field: FieldInfo) -> Schema:
    """The default, where it is one that JSON can say: no component, no infinity."""
    if field.is_required() or field.default_factory is not None:
        return {}
    try:
        return {"default": json.loads(json.dumps(field.default, allow_nan=False))}
    except (TypeError, ValueError):
        return {}


def limited(schema: Schema, metadata: Sequence[Any]) -> Schema:
    """The schema with pydantic's limits on its type."""
    keywords = LIMITS.get(schema.get("type", ""), {})
    flat = [part for item in metadata for part in (item.metadata if isinstance(item, FieldInfo) else [item])]
    return schema | {
        word: getattr(item, limit) for item in flat for limit, word in keywords.items() if hasattr(item, limit)
    }


def merged(options: list[Schema]) -> list[Schema]:
    """The options with as many as possible in one schema: of a single schema, validators say what is wrong.

    They can be one where their types differ, because each keyword is about values of one type.
    """
    one: Schema = {}
    kinds: set[str] = set()
    others = []
    for option in options:
        kind = {"integer": "number"}.get(option.get("type", ""), option.get("type"))
        if kind is None or kind in kinds:
            others.append(option)
        else:
            kinds.add(kind)
            one |= option | {"type": [*one.get("type", []), option["type"]]}
    if kinds == {"null"} and others and "enum" in others[0]:
        return [{"enum": [*others[0]["enum"], None]}, *others[1:]]
    if len(kinds) == 1:
        one["type"] = one["type"][0]
    return [one, *others] if kinds else others


def takes_references(option: Schema) -> bool:
    """Whether any text is right here, so that a reference is."""
    limits = option.keys() & {"pattern", *LIMITS["string"].values()}
    return not option or ("string" in option.get("type", ()) and not limits)
