"""The YAML loader: a strict, safe dialect, where every value keeps its place in the text.

PyYAML's pure-Python scanner and parser turn the text into events; everything after that is ours. The limits
are checked as the events come, aliases are counted before they are expanded, and no tag is ever looked up,
so a hostile file costs a message. What is wrong but does not stop the reading is collected and told at once.
"""

from __future__ import annotations

import codecs
import pathlib
import re
import stat
from dataclasses import dataclass

from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    ScalarEvent,
    SequenceStartEvent,
)

from declnet.config.document import UNPRINTABLE, Document, Marks, Source, Value, clip, is_string, kind, scalar
from declnet.config.events import TAGS, Fault, events
from declnet.errors import ConfigError, Diagnostic, Mark, Path

__all__ = ["DEPTH", "MISTAKES", "load", "loads", "parse", "printable", "scalar"]

BYTES = 1 << 20
LINES = 100_000  # PyYAML takes a few microseconds for each line of a text, so a mebibyte of them takes seconds
DEPTH = 64
NODES = 10_000
ALIASES = 50
MISTAKES = 20

_SURROGATE = re.compile("[\ud800-\udfff]")
GLUED = re.compile(r"[A-Za-z_]\w*:[^\s:/\\,{}\[\]]+ *[,}]")  # {p:0.5} is the key 'p:0.5', with no value
_HALF = "\\uD800 to \\uDFFF are halves of a character; write the whole one, or its \\U escape"


@dataclass(slots=True)
class _Anchor:
    path: Path
    nodes: int
    value: Value = None
    complete: bool = False


@dataclass(slots=True)
class _Open:
    """A mapping or a list whose end has not come yet."""

    path: Path
    value: dict[str, Value] | list[Value]
    anchor: _Anchor | None
    key: str | None = None  # of a mapping: the key whose value comes next

    @property
    def wants_key(self) -> bool:
        return isinstance(self.value, dict) and self.key is None

    @property
    def inner(self) -> Path:
        return (*self.path, len(self.value) if self.key is None else self.key)

    def add(self, value: Value) -> None:
        if isinstance(self.value, list):
            self.value.append(value)
        elif self.key is not None:
            self.value[self.key], self.key = value, None


class _Builder:
    """Grows the data and the marks, event by event."""

    def __init__(self, source: Source, start: int, root: Path) -> None:
        self.source, self.root = source, root
        self.data: Value = None
        self.values = {root: source.mark(start)}
        self.keys: Marks = {}
        self.anchors: dict[str, _Anchor] = {}
        self.open: list[_Open] = []
        self.mistakes: list[Diagnostic] = []
        self.documents = self.nodes = self.aliases = 0

    def build(self, start: int) -> None:
        try:
            for event, mark in events(self.source, start):
                self.take(event, mark)
        except Fault as fault:
            self.mistakes.append(fault.diagnostic)
        if self.mistakes:
            raise ConfigError(*self.mistakes)

    def take(self, event: Event, mark: Mark) -> None:
        if isinstance(event, CollectionStartEvent):
            self.start(event, mark)
        elif isinstance(event, ScalarEvent):
            self.scalar(event, mark)
        elif isinstance(event, AliasEvent):
            self.alias(event.anchor or "", mark)
        elif isinstance(event, CollectionEndEvent):
            done = self.open.pop()
            self.close(tuple(done.value) if isinstance(done.value, list) else done.value, done.anchor)
        elif isinstance(event, DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise Fault("a second document starts here; a config is one, so remove this '---'", mark)

    def refuse(self, message: str, mark: Mark, path: Path = ()) -> None:
        self.mistakes.append(Diagnostic(message, path, mark))
        if len(self.mistakes) == MISTAKES:
            raise ConfigError(*self.mistakes)

    def count(self, nodes: int, mark: Mark) -> None:
        self.nodes += nodes
        if self.nodes > NODES:
            raise Fault(f"more than {NODES:,} keys and values, aliases expanded; a config is smaller", mark)

    def nested(self, depth: int, mark: Mark) -> None:
        if depth > DEPTH:
            raise Fault(f"nested more than {DEPTH} deep; a config is flatter", mark)

    def place(self, event: ScalarEvent | CollectionStartEvent, mark: Mark) -> tuple[Path, _Anchor | None]:
        """Note where a value starts, and its anchor; refuse its tag."""
        path = self.open[-1].inner if self.open else self.root
        self.values[path] = mark
        if event.tag is not None:
            self.refuse(TAGS, mark, path)
        if event.anchor is None:
            return path, None
        self.anchors[event.anchor] = anchor = _Anchor(path, self.nodes - 1)
        return path, anchor

    def close(self, value: Value, anchor: _Anchor | None) -> None:
        """A value is complete: give it to its anchor and to what holds it."""
        if anchor is not None:
            anchor.value, anchor.nodes, anchor.complete = value, self.nodes - anchor.nodes, True
        if self.open:
            self.open[-1].add(value)
        else:
            self.data = value

    def start(self, event: CollectionStartEvent, mark: Mark) -> None:
        new: list[Value] | dict[str, Value] = [] if isinstance(event, SequenceStartEvent) else {}
        self.count(1, mark)
        if self.open and self.open[-1].wants_key:
            what = "list" if isinstance(new, list) else "mapping"
            raise Fault(f"a key must be a string, and this is a {what}; quote it if it is text", mark)
        path, anchor = self.place(event, mark)
        self.nested(len(path) + 1, mark)
        self.open.append(_Open(path, new, anchor))

    def scalar(self, event: ScalarEvent, mark: Mark) -> None:
        self.count(1, mark)
        if self.open and self.open[-1].wants_key:
            self.key(self.open[-1], event, mark)
            return
        path, anchor = self.place(event, mark)
        value: Value = event.value
        if _SURROGATE.search(event.value):
            self.refuse(_HALF, mark, path)
        elif event.style is None and event.tag is None:
            try:
                value = scalar(event.value)
            except ValueError as error:
                self.refuse(str(error), mark, path)
        self.close(value, anchor)

    def key(self, parent: _Open, event: ScalarEvent, mark: Mark) -> None:
        """Take a key, and refuse what is no plain string or was there before."""
        parent.key = key = _SURROGATE.sub("\ufffd", event.value)
        path = (*parent.path, key)
        plain = event.style is None and event.tag is None
        if event.anchor is not None:
            self.anchors[event.anchor] = _Anchor(path, 0, key, complete=True)
            self.refuse("an anchor on a key; put it after the ':'", mark, parent.path)
        if event.tag is not None:
            self.refuse(TAGS, mark, parent.path)
        elif key != event.value:
            self.refuse(_HALF, mark, parent.path)
        elif plain and key == "<<":
            self.refuse("merge keys ('<<') are not supported; write the settings out", mark, parent.path)
        elif plain and not key:
            self.refuse("the key before ':' is missing", mark, parent.path)
        elif plain and not is_string(key):
            self.refuse(f'the key {clip(key)} is not a string; quote it: "{clip(key)}"', mark, parent.path)
        elif plain and GLUED.match(mark.source, mark.column - 1):
            self.refuse(f"a space is missing after the ':' in {key}", mark, parent.path)
        if key in parent.value:
            first = self.keys[path]
            self.refuse(f"duplicate key; the first is at {first.line}:{first.column}, keep one", mark, path)
        else:
            self.keys[path] = mark

    def alias(self, name: str, mark: Mark) -> None:
        """Repeat the anchor's value, and its marks, under the path of this use."""
        self.aliases += 1
        if self.aliases > ALIASES:
            raise Fault(f"more than {ALIASES} aliases; write some of them out", mark)
        if self.open and self.open[-1].wants_key:
            self.open[-1].key = f"*{name}"
            self.refuse("an alias cannot be a key; write the key out", mark, self.open[-1].path)
            return
        path = self.open[-1].inner if self.open else self.root
        anchor = self.anchors.get(name)
        if anchor is None or not anchor.complete:
            fault = "stands inside its own anchor" if anchor else f"has no anchor '&{clip(name)}' before it"
            self.refuse(f"the alias '*{clip(name)}' {fault}", mark, path)
            self.close(None, None)
            return
        self.count(anchor.nodes, mark)
        self.nested(len(path) + _depth(anchor.value), mark)
        skip = len(anchor.path)
        for marks in (self.values, self.keys):
            for written, place in list(marks.items()):
                if written[:skip] == anchor.path:
                    marks.setdefault(path + written[skip:], place)
        self.close(anchor.value, None)


def _depth(value: Value) -> int:
    """How many mappings and lists stand one inside the other."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else None
    return 0 if inner is None else 1 + max(map(_depth, inner), default=0)


def printable(source: Source) -> Source:
    """The source itself, if all its characters can be shown."""
    if match := UNPRINTABLE.search(source.text):
        code = f"U+{ord(match[0]):04X}"
        message = f"the character {code} is not allowed; remove it, or write an escape in double quotes"
        raise ConfigError(Diagnostic(message, mark=source.mark(match.start())))
    return source


def parse(source: Source, start: int = 0, root: Path = ()) -> tuple[Value, Marks, Marks]:
    """Read the text of `source` from `start` on as the value at `root`; gives it, and value and key marks."""
    builder = _Builder(source, start, root)
    builder.build(start)
    return builder.data, builder.values, builder.keys


def loads(text: str | bytes, name: str) -> Document:
    """Read a config from `text`; `name` is what messages call it. Raises `ConfigError` with all it found."""
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(raw) > BYTES:
        raise ConfigError(Diagnostic("larger than 1 MiB; a config is smaller", mark=Mark(name, 1, 1)))
    raw = raw.removeprefix(codecs.BOM_UTF8)
    try:
        source = printable(Source(raw.decode(), name))
    except UnicodeDecodeError as error:
        place = Source(raw.decode(errors="replace"), name).mark(len(raw[: error.start].decode()))
        message = f"byte 0x{raw[error.start]:02X} is not UTF-8; save the file as UTF-8"
        raise ConfigError(Diagnostic(message, mark=place)) from None
    if len(source.starts) > LINES:
        message = f"more than {LINES:,} lines; a config is smaller"
        raise ConfigError(Diagnostic(message, mark=Mark(name, LINES + 1, 1)))
    data, values, keys = parse(source)
    if data is None:
        raise ConfigError(Diagnostic("the config is empty", mark=values[()]))
    if not isinstance(data, dict):
        message = f"a config is a mapping ('key: value' lines), and this is {kind(data)}"
        raise ConfigError(Diagnostic(message, mark=values[()]))
    return Document(data, values, keys)


def load(path: pathlib.Path | str, name: str | None = None) -> Document:
    """Read a config file; `name` is what messages call it, the path as given if omitted."""
    name = str(path) if name is None else name
    try:
        mode = pathlib.Path(path).stat().st_mode
        if not stat.S_ISREG(mode):  # opening a FIFO would wait for its writer
            what = "a directory, not a file" if stat.S_ISDIR(mode) else "not a regular file"
            raise ConfigError(f"{name}: is {what}")
        with pathlib.Path(path).open("rb") as file:
            text = file.read(BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{name}: no such file") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"{name}: cannot be read: {reason}") from None
    return loads(text, name)
