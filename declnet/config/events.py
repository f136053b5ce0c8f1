"""PyYAML's pure-Python event stream, made faster, stricter and friendlier for `declnet.config.yaml`."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

from yaml.error import MarkedYAMLError
from yaml.events import Event
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner, ScannerError
from yaml.tokens import DirectiveToken

from declnet.config.document import Source
from declnet.errors import Diagnostic, Mark

TAGS = "tags ('!') are not supported; remove this one, or quote text that begins with '!'"

_GAP = re.compile(r"(?:[ \t]*+(?:#[^\r\n]*+)?(?:\r\n|\r|\n))*+(?:[ \t]*+(?:#[^\0]*+)?(?=\0)|[ ]*+)")
_DIRECTIVE = re.compile(r"%YAML +1\.2 *(#.*)?(?=[\r\n\0])")
_GLUED = re.compile(r" *(?:- +)*[\"']?[A-Za-z_]\w*[\"']?:(?=[^\s:/\\])")

# What PyYAML says ("context: problem"), whether the place of its context is the better one, and what we say.
_SYNTAX = (
    (r"character '\\t' that cannot start", False, "a tab cannot stand here; indent and separate with spaces"),
    (r"character '(.+)' that cannot start", False, "a plain value cannot start with '{0}'; put it in quotes"),
    (r"an alias: ", True, "'*' starts an alias, as in '*name'; put text that begins with '*' in quotes"),
    (r"an anchor: ", True, "'&' starts an anchor, as in '&name'; put text that begins with '&' in quotes"),
    (r"block scalar: ", True, "'|' and '>' start a text on the lines below; quote text that begins so"),
    (r"a tag: |undefined tag handle", True, TAGS),
    (r"quoted scalar: found unexpected", True, "this quote is never closed"),
    (
        r"unknown escape",
        False,
        r"not an escape; write '\\' for a backslash, or put the text in single quotes",
    ),
    (
        r"expected ',' or '(.)', but got",
        False,
        "expected ',' or '{0}' here; is the bracket of line {1} never closed?",
    ),
    (r"flow node: expected the node content", False, "expected a value here"),
    (
        r"block node: expected the node content",
        False,
        "expected a value here; put text that begins so in quotes",
    ),
    (
        r"sequence entries",
        False,
        "a list item cannot start here; put the '-' on a line of its own, below its key",
    ),
    (r"'<document start>'", False, "expected '---' or the end of the document here"),
    (r"simple key", True, "expected 'key: value' here"),
    (
        r"mapping values",
        False,
        "no key can stand here; is the line above missing its ':', or this line indented too deep?",
    ),
    (r"<block end>, but found ':'", False, "the key before ':' is missing"),
    (
        r"<block end>",
        False,
        "this does not fit here; check its indentation, and the quotes and brackets before it",
    ),
)
_LAYOUT = ("simple key", "mapping values", "<block end>")


class Fault(Exception):  # noqa: N818 - it is no error by itself; it carries the mistake that ends the reading
    """What ends the reading of a text at once."""

    def __init__(self, message: str, mark: Mark) -> None:
        """Take what is wrong, and where."""
        super().__init__(message)
        self.diagnostic = Diagnostic(message, mark=mark)


def events(source: Source, start: int) -> Iterator[tuple[Event, Mark]]:
    """The events of the YAML in `source` from `start` on, each with its place; a `Fault` where it is none."""
    stream = _Events(source, start)
    try:
        while stream.check_event():
            event: Event = stream.get_event()  # type: ignore[no-untyped-call]  # the stubs leave it out
            yield event, source.mark(event.start_mark.index if event.start_mark else start)
    except MarkedYAMLError as error:
        message, offset = stream.explain(error)
        raise Fault(message, source.mark(offset)) from None
    except (ValueError, OverflowError):  # from chr(), in PyYAML's reading of "\U00110000"
        raise Fault("no such character; the last is \\U0010FFFF", source.mark(stream.index)) from None


class _Events(Reader, Scanner, Parser):
    """PyYAML's machinery over a text in memory."""

    def __init__(self, source: Source, start: int) -> None:
        Reader.__init__(self, "")
        self.buffer: str = source.text + "\0"
        self.starts = [*source.starts, len(self.buffer) + 1]
        Scanner.__init__(self)
        Parser.__init__(self)
        self.forward(start)

    def peek(self, index: int = 0) -> str:
        """The character `index` places on."""
        return self.buffer[self.pointer + index]

    def prefix(self, length: int = 1) -> str:
        """The next `length` characters."""
        return self.buffer[self.pointer : self.pointer + length]

    def forward(self, length: int = 1) -> None:
        """Move on; PyYAML's own goes character by character."""
        self.pointer = self.index = self.pointer + length
        while self.pointer >= self.starts[self.line + 1]:
            self.line += 1
        self.column = self.pointer - self.starts[self.line]

    def scan_to_next_token(self) -> None:
        """Skip blanks and comments in one go, and forgive tabs at the end of a line."""
        line, gap = self.line, _GAP.match(self.buffer, self.pointer)
        self.forward(gap.end() - self.pointer if gap else 0)
        if self.line > line and not self.flow_level:
            self.allow_simple_key = True

    def scan_directive(self) -> DirectiveToken:
        """Refuse all directives but one, before PyYAML reads thousands of them."""
        if not _DIRECTIVE.match(self.buffer, self.pointer):
            problem = "the only directive supported is '%YAML 1.2'; remove this one, or quote the text"
            raise ScannerError(None, None, problem, self.get_mark())
        return super().scan_directive()

    def scan_line_break(self) -> str:
        """Skip one line break, where there is one."""
        char = self.buffer[self.pointer]
        if char not in "\r\n":
            return ""
        self.forward(2 if char == "\r" and self.buffer[self.pointer + 1] == "\n" else 1)
        return "\n"

    def explain(self, error: MarkedYAMLError) -> tuple[str, int]:
        """Say in a user's words what PyYAML says in its own, and where."""
        problem, what = error.problem or "", f"{error.context}: {error.problem}"
        place = error.problem_mark or self.get_mark()
        context = error.context_mark or place
        if "flow" in what and "<stream end>" in what:
            return "this bracket is never closed", self.marks[-1].index
        if what.endswith("got '{'") and self.buffer[place.index - 1] == "$":
            return "put '${...}' in quotes inside brackets", place.index - 1
        if "mapping values" in what and ": " in self.buffer[place.index - place.column : place.index]:
            return "a second ': ' in one line; quote the value if it holds this one", place.index
        for pattern, at_context, message in _SYNTAX:
            if match := re.search(pattern, what):
                offset = context.index if at_context else place.index
                glued = self.glued(offset) if pattern in _LAYOUT else None
                return glued or (message.format(*match.groups(), context.line + 1), offset)
        return problem[:1].lower() + problem[1:], place.index

    def glued(self, offset: int) -> tuple[str, int] | None:
        """A line that does not fit may be due to `key:value`, in it or in the one above."""
        row = bisect_right(self.starts, offset) - 1
        above = bisect_right(self.starts, len(self.buffer[: self.starts[row]].rstrip()) - 1) - 1
        for start in (self.starts[row], self.starts[above]):
            if match := _GLUED.match(self.buffer, start):
                return "a space is missing after this ':'", match.end() - 1
        return None
