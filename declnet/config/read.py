"""From a loaded document to a validated config, collecting every mistake on the way.

Each model is validated by pydantic on its own, once what is nested in it has been read: so a mistake deep
inside is reported at its own place, and the rest of the file is still checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, Final, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from declnet.config.document import Document, Value
from declnet.config.expected import a, got, in_words, members
from declnet.config.messages import translate, unknown_key
from declnet.config.schema import (
    NAME,
    Config,
    Matching,
    MetricWiring,
    Scheduling,
    TermWiring,
    Tuning,
    Use,
    Wiring,
)
from declnet.core.component import Loss, Settings
from declnet.core.initializer import Initialization
from declnet.core.metric import Measure
from declnet.core.optimizer import Optimizer, Override, Tuned
from declnet.core.registry import (
    REGISTRIES,
    Registry,
    initializers,
    losses,
    metrics,
    modules,
    optimizers,
    schedulers,
    sources,
    transforms,
)
from declnet.core.scheduler import Scheduled
from declnet.core.source import Source
from declnet.core.suggest import any_of, did_you_mean, nearest
from declnet.core.transform import Transform
from declnet.core.wrapper import Node, Refs, Term
from declnet.errors import Diagnostic, Path, PluginError

M = TypeVar("M", bound=BaseModel)

ROLES: dict[type, Registry[Any]] = {
    Initialization: initializers,
    Loss: losses,
    Optimizer: optimizers,
    Source: sources,
    Transform: transforms,
}
"""What a field of one of these types may name."""


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
        self.problems = [item for item in document.problems if item.severity == "error"]
        self.sections: dict[Path, dict[str, Any]] = {}

    def problem(self, message: str, path: Path, *, key: bool = False) -> Invalid:
        """Note a mistake at a path, at its value or its key; of what a wrong reference left unknown, none."""
        if not any(path[:end] in self.document.broken for end in range(len(path) + 1)):
            self.problems.append(Diagnostic(message, path, self.document.mark(path, key=key)))
        return INVALID

    def model(
        self, cls: type[M], raw: Any, path: Path, also: Sequence[str] = (), inherited: Collection[str] = ()
    ) -> M | Invalid:
        """Read a mapping as a model: what is nested first, then the model itself. `also` are keys that could
        stand here, and have been read; `inherited` those that stand elsewhere.
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
                given = [name for name in raw if name not in inherited]
                message, meant = unknown_key(cls, key, given, self.document.data, also)
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
        if path in self.document.broken:
            return Node(None, path) if Node in members(annotation) else INVALID
        if raw is None and type(None) in members(annotation):
            return None
        readers: dict[Any, Callable[[Any, Path], Any]]
        readers = {Node: self.node, Measure: self.measure, Tuned: self.tuned, Scheduled: self.scheduled}
        kinds = members(annotation)
        for member in kinds:
            arguments = get_args(member)
            if member in readers:
                return readers[member](raw, path)
            if member is Term:
                return self.term(raw, path) if not isinstance(raw, tuple) else self._terms(raw, path)
            if member is FilePath and isinstance(raw, str):
                return self._file(raw, path)
            if isinstance(member, type) and issubclass(member, Settings):
                return self.model(member, raw, path)
            if isinstance(member, type) and member in ROLES and (isinstance(raw, dict | str) or float not in kinds):
                return self.component(ROLES[member], raw, path)
            if get_origin(member) is tuple and isinstance(raw, tuple):
                return tuple(self.value(arguments[0], item, (*path, i)) for i, item in enumerate(raw))
            if get_origin(member) is dict and isinstance(raw, dict):
                for key in raw if arguments[0] is str else ():
                    self.name(key, (*path, key))
                return {key: self.value(arguments[1], item, (*path, key)) for key, item in raw.items()}
        return raw

    def _file(self, raw: str, path: Path) -> FilePath | Invalid:
        """A file's path is relative to the file it is written in, on the command line to the current folder."""
        mark = self.document.mark(path)
        place = mark if mark is None or mark.origin is None else mark.origin
        folder = FilePath() if place is None or place.file.startswith("<") else FilePath(place.file).parent
        try:
            return folder / FilePath(raw).expanduser()
        except RuntimeError:
            return self.problem(f"{raw}: there is no such user", path)

    def split(self, wiring: type[M], registry: Registry[Any], raw: Any, path: Path) -> tuple[Any, M | Invalid]:
        """Read a component that has keys beside its own."""
        fields = wiring.model_fields
        own = {key: raw[key] for key in fields if key in raw} if isinstance(raw, dict) else {}
        rest = {key: value for key, value in raw.items() if key not in own} if own else raw
        return self.component(registry, rest, path, tuple(fields)), self.model(wiring, own, path)

    def node(self, raw: Any, path: Path) -> Node:
        """Read one entry of a list of nodes. A wrong one becomes a node without a component."""
        if isinstance(raw, dict) and "use" in raw:
            return self._use(raw, path)
        component, own = self.split(Wiring, modules, raw, path)
        known = None if isinstance(component, Invalid) else component
        if isinstance(own, Invalid):
            return self._nameless(path)
        if own.calls is not None:
            for key in ("inputs", "repeat"):
                if getattr(own, key) is not None:
                    self.problem(
                        f"{key!r} and 'calls' exclude each other: each call says what it reads", (*path, key)
                    )
        calls = None if own.calls is None else {name: _refs(given) for name, given in own.calls.items()}
        return Node(known, path, own.name, _refs(own.inputs), calls, own.repeat, own.init, own.freeze)

    def _use(self, raw: dict[str, Any], path: Path) -> Node:
        """Read a node that calls an earlier component again."""
        raw = dict(raw)
        if "type" in raw:
            del raw["type"]
            message = "'use' calls a component that is there already; remove 'type', or 'use' for a new one"
            self.problem(message, (*path, "type"), key=True)
        own = self.model(Use, raw, path)
        if isinstance(own, Invalid):
            return self._nameless(path)
        return Node(None, path, own.name, _refs(own.inputs), use=own.use)

    def _nameless(self, path: Path) -> Node:
        """A node whose wiring is wrong: its names are known all the same, where they are names."""
        name, calls = (self.sections[path].get(key) for key in ("name", "calls"))
        names = {call: None for call in calls if isinstance(call, str)} if isinstance(calls, dict) else {}
        return Node(None, path, name if isinstance(name, str) else None, calls=names or None)

    def _terms(self, raw: tuple[Any, ...], path: Path) -> Any:
        if not raw:
            return self.problem("expected a loss, or a list of at least one; got []", path)
        return tuple(self.term(item, (*path, index)) for index, item in enumerate(raw))

    def term(self, raw: Any, path: Path) -> Term | Invalid:
        """Read a term of the loss."""
        loss, own = self.split(TermWiring, losses, raw, path)
        if isinstance(loss, Invalid) or isinstance(own, Invalid):
            return INVALID
        return Term(loss, path, _refs(own.inputs), own.scale)

    def measure(self, raw: Any, path: Path) -> Measure | Invalid:
        """Read a metric of the loop."""
        metric, own = self.split(MetricWiring, metrics, raw, path)
        if isinstance(metric, Invalid) or isinstance(own, Invalid):
            return INVALID
        return Measure(metric, path, _refs(own.inputs))

    def tuned(self, raw: Any, path: Path) -> Tuned | Invalid:
        """Read the optimizer and its groups."""
        optimizer, own = self.split(Tuning, optimizers, raw, path)
        if isinstance(own, Invalid):
            return INVALID
        if isinstance(optimizer, Invalid):
            known = optimizers.own().get(str(raw.get("type"))) if isinstance(raw, dict) else None
            if known is not None and not known.calls_closure:
                for index, item in enumerate(own.groups):  # their own mistakes, beside those of the optimizer
                    self._group(item, {"type": raw["type"]}, known, (*path, "groups", index))
            return INVALID
        if own.groups and optimizer.calls_closure:
            return self.problem(
                f"{optimizer.type} has one set of settings for all parameters: it takes no groups",
                (*path, "groups"),
            )
        rest = {key: value for key, value in raw.items() if key != "groups"} if own.groups else {}
        cls = type(optimizer)
        groups = [self._group(item, rest, cls, (*path, "groups", i)) for i, item in enumerate(own.groups)]
        found = tuple(group for group in groups if isinstance(group, Override))
        return Tuned(optimizer, found) if len(found) == len(groups) else INVALID

    def _group(self, raw: Any, base: dict[str, Any], cls: type[Optimizer], path: Path) -> Override | Invalid:
        """Read a group's pattern, and its settings as those of the optimizer with some changed."""
        if not isinstance(raw, dict):
            return self.problem(f"expected a mapping {{match: pattern, <settings>}}, got {got(raw)}", path)
        changed = {key: value for key, value in raw.items() if key not in Matching.model_fields}
        own = self.model(Matching, {key: value for key, value in raw.items() if key not in changed}, path)
        if "type" in changed:
            return self.problem(
                "a group changes settings, not the optimizer; remove 'type'", (*path, "type"), key=True
            )
        inherited = base.keys() - changed.keys()
        settings = self.model(cls, base | changed, path, tuple(Matching.model_fields), inherited)
        if isinstance(own, Invalid) or isinstance(settings, Invalid):
            return INVALID
        match = (own.match,) if isinstance(own.match, str) else own.match
        return Override(match, settings, tuple(changed))

    def scheduled(self, raw: Any, path: Path) -> Scheduled | Invalid:
        """Read the scheduler and what it counts."""
        scheduler, own = self.split(Scheduling, schedulers, raw, path)
        if isinstance(scheduler, Invalid) or isinstance(own, Invalid):
            return INVALID
        interval = own.interval or scheduler.interval
        return Scheduled(scheduler, interval, own.warmup, own.warmup_start, own.monitor)

    def name(self, raw: Value, path: Path) -> bool:
        """Refuse a key that cannot be the name of a value."""
        right = isinstance(raw, str) and raw.isidentifier()
        if not right:
            self.problem(f"expected {NAME}, got {got(raw)}", path, key=True)
        return right

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
                if len(raw) == 1 and registry.get(key) is not None:
                    return self.problem(f"write {{type: {key}, ...}}, or the bare name", (*path, key), key=True)
                if nearest("type", [key]):
                    return self.problem(f"unknown key {key!r}; did you mean 'type'?", (*path, key), key=True)
            return self.problem(f"{a(registry.role)} needs 'type': {_some(registry)}", path)
        if not isinstance(name, str):
            return self.problem(f"expected the name of {a(registry.role)}, got {got(name)}", (*path, "type"))
        try:
            cls = registry.get(name)
        except PluginError as error:
            return self.problem(error.message, (*path, "type"))
        if cls is None:
            return self.problem(_unknown(registry, name), (*path, "type"))
        return self.model(cls, raw, path, also)


def _refs(raw: Any) -> Refs:
    """What a node reads: one name is a list of one."""
    return (raw,) if isinstance(raw, str) else raw


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
    ending = name.rpartition(".")[2]
    reader = next((own for own in registry if own.lower() == ending.lower() != name.lower()), None)
    if registry.role == "source" and reader is not None:
        return f"{name!r} is no source but a file; to read it write {{type: {reader}, path: {name}}}"
    near = did_you_mean(ending, registry)  # `nn.Linear`, as it stands in a program, is Linear
    return f"unknown {registry.role} {name!r}{near or '; there is ' + _some(registry)}"
