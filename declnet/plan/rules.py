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

    def unmatched(self) -> Iterator[tuple[str, Path]]:
        """A message for each pattern that no parameter has matched, where any were seen."""
        for pattern in self.node.init:
            if self.seen and pattern not in self.used:
                message = f"no parameter here is called {pattern!r}{like_pattern(pattern, self.seen)}"
                yield message, (*self.node.path, "init", pattern)


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
        if node.init or node.freeze:
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

    @property
    def frozen(self) -> bool:
        """Whether parameters here stay as they are."""
        return any(rule.node.freeze for rule in self.stack)

    def apply(self, name: str, parameter: Parameter) -> Iterator[tuple[str, Path]]:
        """Note that there is such a parameter; a message where a rule asks for first values it cannot have."""
        for rule in self.stack:
            local = name[len(rule.owner) + 1 :] if rule.owner else name
            rule.seen.append(local)
            for pattern, initializer in rule.node.init.items():
                if matches(local, (pattern,)):
                    rule.used.add(pattern)
                    try:
                        initializer.check(parameter.shape)
                    except ShapeError as error:
                        yield f"{local}: {error.message}", (*rule.node.path, "init", pattern)

    def initial(self, name: str, parameter: Parameter) -> Parameter:
        """The parameter with the first values that the innermost rule gives it."""
        for rule in reversed(self.stack):
            local = name[len(rule.owner) + 1 :] if rule.owner else name
            for pattern, initializer in rule.node.init.items():
                if matches(local, (pattern,)):
                    return replace(parameter, init=initializer)
        return parameter
