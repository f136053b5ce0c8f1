"""What nodes say of the parameters below them: first values (`init`), and which stay as they are (`freeze`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from declnet.core.component import Parameter
from declnet.core.optimizer import matches
from declnet.core.suggest import like_pattern
from declnet.core.wrapper import Node
from declnet.errors import Path, ShapeError


@dataclass(slots=True)
class Rule:
    """A node that says something, and the prefix of the parameters it says it of."""

    node: Node
    owner: str
    seen: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)

    def local(self, name: str) -> str:
        """A parameter's name below the node."""
        return name[len(self.owner) + 1 :] if self.owner else name

    def pattern(self, local: str) -> str | None:
        """What says the first values of a parameter: its own name, or the first pattern that matches it."""
        if local in self.node.init:
            return local
        return next((pattern for pattern in self.node.init if matches(local, (pattern,))), None)


class Rules:
    """The rules that hold where tracing is."""

    def __init__(self) -> None:
        """None hold at the top."""
        self.stack: tuple[Rule, ...] = ()
        self.every: list[Rule] = []

    @contextmanager
    def under(self, node: Node, owner: str) -> Iterator[None]:
        """Within a node, its rules hold beside those around it."""
        before = self.stack
        if node.init or node.freeze is not None:
            rule = Rule(node, owner)
            self.every.append(rule)
            self.stack = (*before, rule)
        yield
        self.stack = before

    @contextmanager
    def instead(self, stack: tuple[Rule, ...]) -> Iterator[None]:
        """Where a component is called by its name, the rules hold under which it stands."""
        before, self.stack = self.stack, stack
        yield
        self.stack = before

    def unmatched(self, *, known: bool) -> Iterator[tuple[str, Path]]:
        """A message for each pattern that decides nothing; where not all is `known`, if there were parameters."""
        nodes: dict[Path, list[Rule]] = {}
        for rule in self.every:
            nodes.setdefault(rule.node.path, []).append(rule)
        for path, rules in nodes.items():
            seen = list(dict.fromkeys(name for rule in rules for name in rule.seen))
            for pattern in rules[0].node.init if seen or known else ():
                if not any(pattern in rule.used for rule in rules):
                    yield _useless(pattern, seen), (*path, "init", pattern)

    @property
    def frozen(self) -> bool:
        """Whether parameters here stay as they are: what the innermost node says that says it."""
        said = (rule.node.freeze for rule in reversed(self.stack) if rule.node.freeze is not None)
        return next(said, False)

    def apply(self, name: str, parameter: Parameter) -> Iterator[tuple[str, Path]]:
        """Note that there is such a parameter; a message where a rule asks for first values it cannot have."""
        for rule in self.stack:
            local = rule.local(name)
            rule.seen.append(local)
            pattern = rule.pattern(local)
            if pattern is not None:
                rule.used.add(pattern)
                try:
                    rule.node.init[pattern].check(parameter.shape)
                except ShapeError as error:
                    yield f"{local}: {error.message}", (*rule.node.path, "init", pattern)

    def initial(self, name: str, parameter: Parameter) -> Parameter:
        """The parameter with the first values that the innermost rule gives it, if it does not say them itself."""
        for rule in () if parameter.asked else reversed(self.stack):
            pattern = rule.pattern(rule.local(name))
            if pattern is not None:
                return replace(parameter, init=rule.node.init[pattern])
        return parameter


def _useless(pattern: str, seen: list[str]) -> str:
    if not seen:
        return "there are no parameters here"
    if any(matches(local, (pattern,)) for local in seen):
        return f"what {pattern!r} stands for gets its first values from a pattern before it; put this one first"
    return f"no parameter here is called {pattern!r}{like_pattern(pattern, seen)}"
