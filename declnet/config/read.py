"""From a loaded document to a validated config, collecting every mistake on the way.

Each model is validated by pydantic on its own, once what is nested in it has been read: so a mistake deep
inside is reported at its own place, and the rest of the file is still checked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, Final, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from declnet.config.document import Document, Value
from declnet.config.expected import a, got, in_words, members
from declnet.config.messages import translate, unknown_key
from declnet.config.schema import Config, Settings
from declnet.config.suggest import any_of, did_you_mean, nearest
from declnet.core.component import Loss
from declnet.core.metric import Metric
from declnet.core.optimizer import Optimizer
from declnet.core.registry import REGISTRIES, Registry, losses, metrics, modules, optimizers, sources
from declnet.core.source import Source
from declnet.core.wrapper import Node
from declnet.errors import Diagnostic, Path

M = TypeVar("M", bound=BaseModel)

ROLES: dict[type, Registry[Any]] = {Loss: losses, Metric: metrics, Optimizer: optimizers, Source: sources}
"""What a field of one of these types may name."""

WIRING: Final = ("name", "inputs")
"""Keys of a node that are not its component's."""


class Invalid:
    """Stands for a value that was wrong and has been reported."""


INVALID: Final = Invalid()


@dataclass(slots=True)
class Reading:
    """What could be read: the config where all of it was right; the values of each section by path, wrong
    ones among them; and what was wrong.
    """

    document: Document
    config: Config | None
    sections: dict[Path, dict[str, Any]]
    problems: list[Diagnostic]


def read(document: Document) -> Reading:
    """Read a document. Never raises on a mistake in it: see `Reading.problems`."""
    reader = _Reader(document)
    config = reader.model(Config, {"name": _stem(document)} | document.data, ())
    right = None if reader.problems or isinstance(config, Invalid) else config
    return Reading(document, right, reader.sections, reader.problems)


def _stem(document: Document) -> str:
    """The file's name without its ending, as a run may be called."""
    mark = document.mark(())
    stem = "" if mark is None else FilePath(mark.file).stem
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:100] or "run"


class _Reader:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Diagnostic] = []
        self.sections: dict[Path, dict[str, Any]] = {}

    def problem(self, message: str, path: Path, *, key: bool = False) -> Invalid:
        """Note a mistake at a path, at its value or its key."""
        self.problems.append(Diagnostic(message, path, self.document.mark(path, key=key)))
        return INVALID

    def model(self, cls: type[M], raw: Any, path: Path, also: Sequence[str] = ()) -> M | Invalid:
        """Read a mapping as a model: what is nested first, then the model itself. `also` are keys that could
        stand here, and have been read.
        """
        raw = cls.spell_out(raw) if issubclass(cls, Settings) else raw
        if not isinstance(raw, dict):
            return self.problem(f"expected {in_words(cls)}, got {got(raw)}", path)
        values: dict[str, Any] = {}
        self.sections[path] = values
        typos = set()
        for key, value in raw.items():
            if key in cls.model_fields:
                values[key] = self.value(cls.model_fields[key].annotation, value, (*path, key))
            else:
                message, meant = unknown_key(cls, key, raw, self.document.data, also)
                self.problem(message, (*path, key), key=True)
                typos.add(meant)
        wrong = {key for key, value in values.items() if _holds_invalid(value)}
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            for problem in translate(cls, error, values):
                name = problem.path[0] if problem.path else None
                if name not in wrong and not (problem.missing and name in typos):
                    where = path if problem.missing else (*path, *problem.path)
                    self.problem(problem.message, where)
            return INVALID

    def value(self, annotation: Any, raw: Any, path: Path) -> Any:
        """Read what needs reading: sections, components, nodes, paths. The rest is pydantic's."""
        for member in members(annotation):
            arguments = get_args(member)
            if member is Node:
                return self.node(raw, path)
            if member is FilePath and isinstance(raw, str):
                return self._file(raw, path)
            if isinstance(member, type) and issubclass(member, Settings):
                return self.model(member, raw, path)
            if isinstance(member, type) and member in ROLES:
                return self.component(ROLES[member], raw, path)
            if get_origin(member) is tuple and isinstance(raw, tuple):
                return tuple(self.value(arguments[0], item, (*path, i)) for i, item in enumerate(raw))
            if get_origin(member) is dict and isinstance(raw, dict):
                for key in raw:
                    self.name(key, (*path, key), key=True)
                return {key: self.value(arguments[1], item, (*path, key)) for key, item in raw.items()}
        return raw

    def _file(self, raw: str, path: Path) -> FilePath | Invalid:
        """A file's path is relative to the file it is written in, on the command line to the current folder."""
        mark = self.document.mark(path)
        folder = FilePath() if mark is None or mark.file.startswith("<") else FilePath(mark.file).parent
        try:
            return folder / FilePath(raw).expanduser()
        except RuntimeError:
            return self.problem(f"{raw}: there is no such user", path)

    def node(self, raw: Any, path: Path) -> Node:
        """Read one entry of a list of nodes. A wrong one becomes a node without a component."""
        own = {key: raw[key] for key in WIRING if key in raw} if isinstance(raw, dict) else {}
        rest = {key: value for key, value in raw.items() if key not in own} if own else raw
        component = self.component(modules, rest, path, WIRING)
        name, inputs = own.get("name"), own.get("inputs")
        if name is not None and not self.name(name, (*path, "name")):
            name = None
        return Node(None if isinstance(component, Invalid) else component, path, name, self._inputs(inputs, path))

    def name(self, raw: Value, path: Path, *, key: bool = False) -> bool:
        """Refuse what cannot be the name of a value."""
        right = isinstance(raw, str) and raw.isidentifier()
        if not right:
            message = "a name is letters, digits and underscores, not starting with a digit; got "
            self.problem(message + got(raw), path, key=key)
        return right

    def _inputs(self, raw: Value, path: Path) -> tuple[str, ...] | dict[str, str] | None:
        """The names a node reads: one, a list by position, or a mapping by argument."""
        if raw is None:
            return None
        if isinstance(raw, str):
            return (raw,)
        items = raw if isinstance(raw, tuple) else tuple(raw.values()) if isinstance(raw, dict) else ()
        if not items or not all(isinstance(item, str) for item in items):
            self.problem(
                f"expected a name, a list of names, or a mapping from argument to name; got {got(raw)}",
                (*path, "inputs"),
            )
            return None
        return {k: str(v) for k, v in raw.items()} if isinstance(raw, dict) else tuple(map(str, items))

    def component(self, registry: Registry[Any], raw: Any, path: Path, also: Sequence[str] = ()) -> Any:
        """Read `{type: Name, ...}`, or the bare name."""
        raw = {"type": raw} if isinstance(raw, str) else raw
        if not isinstance(raw, dict):
            return self.problem(
                f"expected {a(registry.role)}, as a name or {{type: Name, ...}}; got {got(raw)}", path
            )
        name = raw.get("type")
        if "type" not in raw:
            for key in raw:
                if nearest("type", [key]):
                    return self.problem(f"unknown key {key!r}; did you mean 'type'?", (*path, key), key=True)
            return self.problem(f"{a(registry.role)} needs 'type': {_some(registry)}", path)
        if not isinstance(name, str):
            return self.problem(f"expected the name of {a(registry.role)}, got {got(name)}", (*path, "type"))
        cls = registry.get(name)
        if cls is None:
            return self.problem(_unknown(registry, name), (*path, "type"))
        return self.model(cls, raw, path, also)


def _holds_invalid(value: Any) -> bool:
    """Whether a value that was read holds one that was wrong."""
    if isinstance(value, tuple | dict):
        return any(map(_holds_invalid, value.values() if isinstance(value, dict) else value))
    return value is INVALID


def _some(registry: Registry[Any]) -> str:
    names = list(registry)
    return any_of(names if len(names) <= 8 else [*names[:8], f"{len(names) - 8} more: declnet list-components"])


def _unknown(registry: Registry[Any], name: str) -> str:
    """What to say of a name that this registry does not know."""
    for other in REGISTRIES:
        if other is not registry and name in other:
            return f"{name!r} is {a(other.role)}, not {a(registry.role)}"
    near = did_you_mean(name, registry)
    return f"unknown {registry.role} {name!r}{near or '; there is ' + _some(registry)}"
