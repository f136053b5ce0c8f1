"""Settings from the command line: `optimizer.lr=0.01 model.encoder.layers.0.out_features=64`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NoReturn

from declnet.config import keypath
from declnet.config.document import COMPONENTS, Document, Source, Value, clip, kind
from declnet.config.yaml import DEPTH, parse, printable
from declnet.errors import ConfigError, Diagnostic, Mark, Path

COMMAND_LINE = "<command line>"

_Parts = Sequence[tuple[keypath.Part, Mark]]


def apply(document: Document, overrides: Sequence[str]) -> Document:
    """A new document, with `key.path=value` settings applied in order.

    In a path, a number indexes a list, and a name is the item of a list that has this `name`. What does not
    exist is created; a bare component in a list becomes `{type: ...}` where the path goes inside it. A setting that
    cannot be made is left out, and noted in the document's `problems`.
    """
    mistakes: list[Diagnostic] = []
    for number, argument in enumerate(overrides, 1):
        try:
            document = _Setting(document, printable(Source(argument, COMMAND_LINE, number))).applied()
        except ConfigError as error:
            mistakes.extend(error.diagnostics)
    return replace(document, problems=(*document.problems, *mistakes))


class _Setting:
    """One override, and the document it is applied to; copies what is on its way and shares the rest."""

    def __init__(self, document: Document, source: Source) -> None:
        self.document, self.source = document, source
        self.values, self.keys = dict(document.values), dict(document.keys)
        self.start = source.text.find("=") + 1

    def applied(self) -> Document:
        data = self.in_mapping(self.document.data, self.parts(), ())
        return replace(self.document, data=data, values=self.values, keys=self.keys)

    def parts(self) -> _Parts:
        """The path before the `=`, part by part, each with its place."""
        if not self.start:
            message = f"'{clip(self.source.text)}' is no setting; write it as key.path=value"
            _refuse(message, (), self.source.mark(0))
        try:
            parts = keypath.split(self.source.text[: self.start - 1])
        except keypath.PathError as error:
            _refuse(error.message, (), self.source.mark(error.offset))
        if len(parts) > DEPTH:
            _refuse(f"nested more than {DEPTH} deep; a config is flatter", (), self.source.mark(parts[DEPTH][1]))
        if parts[0][0] == "extends":
            message = "what a file extends is no setting; write a file that extends the other one"
            _refuse(message, ("extends",), self.source.mark(0))
        return [(part, self.source.mark(offset)) for part, offset in parts]

    def put(self, node: Value, parts: _Parts, path: Path) -> Value:
        """The value that stands at `path` once the setting is made; `node` stood there before."""
        if not parts:
            return self.value(path)
        if isinstance(node, tuple):
            return self.in_list(node, parts, path)
        if isinstance(node, str) and (isinstance(path[-1], int) or path in COMPONENTS):
            self.values[*path, "type"] = self.values[path]
            node = {"type": node}
        if node is not None and not isinstance(node, dict):
            _refuse(f"this is {kind(node)}; nothing can be set inside it", path, parts[0][1])
        return self.in_mapping(node or {}, parts, path)

    def in_mapping(self, node: dict[str, Value], parts: _Parts, path: Path) -> dict[str, Value]:
        (part, mark), *rest = parts
        if isinstance(part, int):
            _refuse(f"this is no list, so it has no item [{part}]", path, mark)
        path = (*path, part)
        if not rest or path not in self.values:
            self.values[path] = self.keys[path] = mark
        return {**node, part: self.put(node.get(part), rest, path)}

    def in_list(self, node: tuple[Value, ...], parts: _Parts, path: Path) -> tuple[Value, ...]:
        (part, mark), *rest = parts
        try:
            index = keypath.index(node, part)
        except keypath.PathError as error:
            _refuse(error.message, path, mark)
        return (*node[:index], self.put(node[index], rest, (*path, index)), *node[index + 1 :])

    def value(self, path: Path) -> Value:
        """The value behind the `=`; its marks take the place of those of the value before."""
        value, values, keys = parse(self.source, self.start, path)
        inside = len(path)
        for marks, new in ((self.values, values), (self.keys, keys)):
            for old in [old for old in marks if len(old) > inside and old[:inside] == path]:
                del marks[old]
            marks.update(new)
        return value


def _refuse(message: str, path: Path, mark: Mark) -> NoReturn:
    raise ConfigError(Diagnostic(message, path, mark))
