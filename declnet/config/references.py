"""`${vars.width}`: a value that is written once and read elsewhere, by its key path in the file.

A text that is nothing but a reference becomes the value itself, whatever its type; within a longer text a reference
becomes text. `$${` stands for a plain `${`. What is inserted may hold references of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import NoReturn

from declnet.config import keypath
from declnet.config.document import Document, Marks, Value, clip, kind
from declnet.config.dump import written
from declnet.config.yaml import DEPTH, NODES
from declnet.core.suggest import nearest, some
from declnet.errors import ConfigError, Diagnostic, Origin, Path, dotted

VARS = "vars"
LONGEST = 10_000
"""Characters of a text at most, once its references are replaced."""

_REFERENCE = re.compile(r"\$\{([^{}]*)\}")
_CIRCLE = "'${{{}}}' leads back to itself"
_TEXT = re.compile(r"\$\$\{|\$\{[^{}]*\}|\$\{")
"""What means something in a text: an escape, a reference, and the start of one that has no end."""


def resolve(document: Document) -> Document:
    """The document without `vars`, every reference replaced by its value; the marks of a value that was referred
    to say where it comes from. What is wrong is noted in `problems`, and the values that it leaves unknown in
    `broken`. ConfigError only where references insert too much.
    """
    resolver = _Resolver(document)
    resolver.check_vars()
    data = {key: resolver.build(value, (key,), (key,)) for key, value in document.data.items() if key != VARS}
    values, keys = (
        {path: mark for path, mark in marks.items() if path[:1] != (VARS,)}
        for marks in (resolver.values, resolver.keys | document.keys)
    )
    problems = tuple(dict.fromkeys((*document.problems, *resolver.problems, *resolver.unused())))
    return Document(data, {(): document.values[()]} | values, keys, problems, frozenset(resolver.broken))


class _Wrong(Exception):  # noqa: N818 - says that a reference was wrong, which has been noted by then
    """A value is left unknown."""


class _Resolver:
    """Builds the data anew, references replaced, and the marks with them."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.values: Marks = {}
        self.keys: Marks = {}
        self.problems: list[Diagnostic] = []
        self.broken: set[Path] = set()
        self.read: set[Path] = set()
        self.followed: list[Path] = []
        """Where the references stand that are being replaced, one inside the value of another."""
        self.count = 0

    def check_vars(self) -> None:
        """Replace the references in what is defined, whether it is read or not: so all mistakes are found."""
        known = self.document.data.get(VARS)
        if known is None or isinstance(known, dict):
            self.build(known, (VARS,), (VARS,))
        else:
            self.note(f"expected a mapping from names to values, got {kind(known)}", (VARS,))

    def unused(self) -> Iterator[Diagnostic]:
        """A warning for each definition of the file itself that nothing reads; another's may be for others."""
        known = self.document.data.get(VARS)
        own = self.document.values[()].file
        for name in known if isinstance(known, dict) else ():
            path, mark = (VARS, name), self.document.mark((VARS, name), key=True)
            if (
                not self.read & {path, path[:1]}
                and mark is not None
                and (mark.file == own or mark.file.startswith("<"))
            ):
                message = f"nothing reads it; write ${{{dotted(path)}}} where its value is meant, or remove it"
                yield Diagnostic(message, path, mark, "warning")

    def note(self, message: str, path: Path) -> None:
        """Note a mistake in the value at a path."""
        self.problems.append(Diagnostic(message, path, self.document.mark(path)))

    def build(self, value: Value, at: Path, to: Path) -> Value:
        """The value that is written at `at`, references replaced, as it is to stand at `to`."""
        self.count += 1
        mark = self.document.mark(at)
        if self.count > NODES:
            much = f"more than {NODES:,} keys and values, references replaced; a config is smaller"
            raise ConfigError(Diagnostic(much, at, mark))
        if len(to) > DEPTH:
            raise ConfigError(Diagnostic(f"nested more than {DEPTH} deep; a config is flatter", at, mark))
        if mark is not None:
            self.values[to] = mark
        if isinstance(value, tuple):
            return tuple(self.build(item, (*at, i), (*to, i)) for i, item in enumerate(value))
        if isinstance(value, dict):
            marks = self.document.keys
            self.keys.update({(*to, key): marks[*at, key] for key in value if (*at, key) in marks})
            return {key: self.build(item, (*at, key), (*to, key)) for key, item in value.items()}
        if not isinstance(value, str) or "${" not in value:
            return value
        try:
            whole = _REFERENCE.fullmatch(value)
            return self.text(value, at, to) if whole is None else self.follow(whole[1], at, to)
        except _Wrong:
            self.broken.add(to)
            return None

    def follow(self, reference: str, at: Path, to: Path) -> Value:
        """The value that a reference at `at` stands for, as it is to stand at `to`."""
        with self.within(at, reference):
            target, value = self.find(reference, at)
            if any(path[: len(target)] == target for path in self.followed):
                self.refuse(_CIRCLE.format(reference), at)
            found = self.build(value, target, to)
        here, there = self.document.mark(at), self.document.mark(target)
        if here is not None and there is not None:
            deeper = self.values[to].origin
            origin = deeper or Origin(target, there.file, there.line, there.column)
            self.values[to] = replace(here, origin=origin)
        if to in self.broken:
            raise _Wrong
        return found

    def text(self, text: str, at: Path, to: Path) -> str:
        """A text with the references in it replaced. It comes from where its beginning does: a path may."""
        pieces: list[str] = []
        end = 0
        mark = self.values[to]
        for match in _TEXT.finditer(text):
            pieces.append(text[end : match.start()])
            end = match.end()
            if match[0] == "$${":
                pieces.append("${")
            elif match[0] == "${":
                self.refuse("this '${' has no '}'; write $${ where no reference is meant", at)
            else:
                value = self.follow(match[0][2:-1], at, to)
                mark = self.values[to] if match.start() == 0 else mark
                if isinstance(value, tuple | dict):
                    self.refuse(f"'{match[0]}' is {kind(value)}, which cannot stand within a text", at)
                pieces.append(value if isinstance(value, str) else written(value))
        self.values[to] = mark
        result = "".join([*pieces, text[end:]])
        if len(result) > LONGEST:
            self.refuse(f"more than {LONGEST:,} characters, references replaced", at)
        return result

    def find(self, reference: str, at: Path) -> tuple[Path, Value]:
        """The place that a reference names, and what is written there."""
        path: Path = ()
        node: Value = self.document.data
        try:
            for part, _ in keypath.split(reference.strip()):
                if isinstance(node, str) and (inner := _REFERENCE.fullmatch(node)):
                    with self.within(path, inner[1]):
                        path, node = self.find(inner[1], path)
                path, node = self.step(path, node, part)
        except keypath.PathError as error:
            self.refuse(f"'${{{clip(reference)}}}' leads nowhere: {error.message}", at)
        self.read.add(path[:2])
        return path, node

    def step(self, path: Path, node: Value, part: keypath.Part) -> tuple[Path, Value]:
        """One part further."""
        if isinstance(node, tuple):
            index = keypath.index(node, part)
            return (*path, index), node[index]
        if not isinstance(node, dict) or isinstance(part, int):
            raise keypath.PathError(f"{dotted(path)} is {kind(node)}, which has no item {part}")
        if part not in node:
            near = nearest(part, node)
            there = f"; did you mean {near!r}?" if near else f"; there is {some(list(node))}" if node else ""
            raise keypath.PathError(f"the file says nothing of {dotted((*path, part))}{there}")
        return (*path, part), node[part]

    @contextmanager
    def within(self, at: Path, reference: str) -> Iterator[None]:
        """While a reference is followed; refuse one that comes back to itself."""
        if at in self.followed:
            self.refuse(_CIRCLE.format(reference), at)
        self.followed.append(at)
        try:
            yield
        finally:
            self.followed.pop()

    def refuse(self, message: str, at: Path) -> NoReturn:
        """Note a mistake, and leave the value unknown."""
        self.note(message, at)
        raise _Wrong
