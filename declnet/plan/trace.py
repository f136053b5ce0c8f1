"""Tracing: follow the nodes once with shapes instead of numbers, and collect every mistake on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeAlias

from declnet.core.component import Module, arity
from declnet.core.metric import Measure
from declnet.core.spec import Spec
from declnet.core.suggest import did_you_mean, some
from declnet.core.wrapper import UNKNOWN, Flow, Node, Output, Place, Refs, Term, Value, Wrapper, below, join
from declnet.errors import Path, ShapeError, dotted
from declnet.plan.calls import Calls
from declnet.plan.graph import Graph, Visit
from declnet.plan.measures import note
from declnet.plan.rules import Rule
from declnet.plan.scope import Scope

Fields: TypeAlias = Mapping[str, Spec | None]

CALLS = 10_000
"""Calls in a graph at most: in blocks within blocks, `use` and `repeat` multiply."""


def trace(
    nodes: Sequence[Node],
    terms: Sequence[Term],
    inputs: Fields,
    targets: Fields,
    measures: Sequence[Measure] = (),
) -> Graph:
    """Build the graph of a model, its loss and its metrics on data fields of these specs, None for what is unknown.

    Mistakes are collected in `graph.problems`; what lies behind one is checked as far as it is known.
    """
    tracer = _Tracer()
    try:
        tracer.model(nodes, inputs, targets)
        tracer.loss(terms, targets)
        note(tracer.graph, tracer._scopes[0], measures, targets, tracer.problem)
    except _TooLarge as error:
        tracer.problem(f"the model makes more than {CALLS:,} calls; repeat less", error.path)
    tracer.close()
    return tracer.graph


class _TooLarge(Exception):  # noqa: N818 - ends tracing, and is reported as a problem
    """Tracing would not end in sensible time."""

    def __init__(self, path: Path) -> None:
        self.path = path


class _Tracer:
    """Walks nodes and writes the graph."""

    def __init__(self) -> None:
        self._calls = Calls()
        self._rules, self.graph, self.problem = self._calls.rules, self._calls.graph, self._calls.problem
        self._known: dict[str, tuple[Node, tuple[Rule, ...]]] = {}
        """Components by the prefix of their parameters, with the rules they stand under: what `use` finds."""
        self._scopes: list[Scope] = []
        self._path: Path = ()
        """The wrapper that is traced."""
        self._visits = self.graph.visits
        """Where the next visit is noted."""
        self._count = 0
        self._declared = 0
        """Data fields, known or not."""

    def model(self, nodes: Sequence[Node], inputs: Fields, targets: Fields) -> None:
        """Call all nodes on the data fields."""
        fields = self._fields(inputs, "data.inputs")
        flow = tuple(value for own in fields.values() for value in own)
        scope = Scope("", fields, flow, targets=tuple(targets))
        self._nodes(nodes, Place("", ""), scope)
        self._scopes.append(scope)
        if nodes:
            self.graph.outputs = [None if value is None else value.index for value in scope.flow]

    def loss(self, terms: Sequence[Term], targets: Fields) -> None:
        """Call the terms, which see the targets too."""
        scope = self._scopes[0]
        fields = self._fields(targets, "data.targets")
        scope.names.update(fields)
        scope.targets = ()
        for term in terms:
            self._term(term, scope, next(iter(fields.values()), None))

    def close(self) -> None:
        """Report what only shows at the end."""
        known = not self.graph.problems and len(self.graph.inputs) == self._declared
        for message, path in self._rules.unmatched(known=known):
            self.problem(message, path)
        for owner, (node, _) in self._known.items():
            if owner not in self._calls.begun and isinstance(node.component, Module):
                self.graph.unused.append(node.path)

    def _fields(self, specs: Fields, where: str) -> dict[str, Flow]:
        """Values for data fields."""
        fields: dict[str, Flow] = {}
        self._declared += len(specs)
        for name, spec in specs.items():
            if spec is None:
                fields[name] = (None,)
                continue
            index = self.graph.inputs[name] = self.graph.value(spec, f"{where}.{name}")
            fields[name] = (Value(index),)
        return fields

    # What wrappers see.

    def chain(self, nodes: Sequence[Node], place: Place, inputs: Flow) -> Output:
        """The nodes of a block, which sees only its own input."""
        if len(inputs) != 1:
            sources = self._calls.sources(inputs)
            raise ShapeError(f"takes one input but gets {len(inputs)}{sources}; name one with 'inputs'")
        scope = Scope(place.owner, {"input": inputs}, inputs, outer=tuple(self._scopes))
        self._nodes(nodes, place, scope)
        return Output(scope.flow)

    def call(self, node: Node, place: Place, inputs: Flow) -> Output:
        """An item of a holder."""
        self._require_item(node)
        return self._call(node, place, inputs)

    def hold(self, node: Node, place: Place) -> Output:
        """An item that is called by its name, if at all."""
        self._require_item(node)
        with self._visit(node, place):
            return self._hold(node, place)

    def _hold(self, node: Node, place: Place, *, within: bool = False) -> Output:
        """Make a component known, and what is in it; parameters `within` a block are values when it is called."""
        component = node.component
        with self._rules.under(node, place.owner):
            self._known[place.owner] = node, self._rules.stack
            if isinstance(component, Wrapper) and not component.takes and not within:
                return self._trace(component, node.path, place, ())
            if isinstance(component, Wrapper) and node.repeat is None:
                held = getattr(component, component.children)
                for index, item in enumerate(held.values() if isinstance(held, dict) else held):
                    name = list(held)[index] if isinstance(held, dict) else item.name or str(index)
                    self._hold(item, place.child(name), within=True)
        return Output(None)

    def parameter(self, module: Module, place: Place, *field: str | int) -> Value | None:
        """A value that is learned."""
        path = (*self._path, *field)
        with self._visit(Node(module, path), place) as visit:
            value = self._calls.call(module, path, place, ())
            self._note(visit, Output((value,)))
        return value

    def _require_item(self, node: Node) -> None:
        for key in ("name", "inputs", "calls", "use"):
            if getattr(node, key) is not None:
                self.problem(
                    f"{key!r} has no meaning here: what is held is named and called by its holder",
                    (*node.path, key),
                )

    # Nodes of a list.

    def _nodes(self, nodes: Sequence[Node], place: Place, scope: Scope) -> None:
        """Call nodes in order; each sees the names before it."""
        self._scopes.append(scope)
        scope.expect(nodes)
        own: set[str] = set()
        for index, node in enumerate(nodes):
            name = node.name or str(index)
            taken = name in own
            self._define(name, (*node.path, "name"), own, scope)
            for call in node.calls or ():
                self._define(call, (*node.path, "calls", call), own, scope)
            # A second component of one name is another one, not the first again.
            output = self._node(node, place.child(f"{name}[{index}]" if taken else name), scope)
            scope.add(name, output)
            scope.flow = scope.flow if output.flow is None else output.flow
        self._scopes.pop()

    def _define(self, name: str, path: Path, own: set[str], scope: Scope) -> None:
        """Refuse a name that something else has."""
        if name in own:
            self.problem(f"two components are called {name!r}; give one another name", path)
        elif (what := scope.taken(name)) is not None:
            self.problem(f"{name!r} is already the name of {what}; choose another", path)
        own.add(name)

    def _node(self, node: Node, place: Place, scope: Scope) -> Output:
        """Call a node, or what it uses, as often as it says."""
        if node.use is not None:
            return self._use(node, place, scope)
        if node.calls is None:
            takes = node.takes
            if takes == ():
                self._require_held(node, "inputs", "repeat")
            inputs = scope.read(node.inputs, takes, self.problem, (*node.path, "inputs"))
            return self._call(node, place, inputs, reads=node.inputs)
        if node.takes == ():
            self._require_held(node, "calls")
            return self._call(node, place, ())
        flow: Flow = ()
        with self._visit(node, place) as visit:
            for name, refs in node.calls.items():
                path = (*node.path, "calls", name)
                inputs = scope.read(refs, node.takes, self.problem, path)
                output = self._call(node, Place(place.child(name).name, place.owner), inputs, path, reads=refs)
                scope.add(name, output)
                flow += output.flow or ()
            self._note(visit, Output(flow))
        return Output(flow)

    def _require_held(self, node: Node, *keys: str) -> None:
        """Refuse to call what only holds."""
        for key in keys:
            if getattr(node, key) is not None:
                self.problem(
                    f"what only holds is not called: leave {key!r} out"
                    + (", or say how it calls with 'forward'" if hasattr(node.component, "forward") else ""),
                    (*node.path, key),
                )

    def _use(self, node: Node, place: Place, scope: Scope) -> Output:
        """Call an earlier component again."""
        ref = str(node.use)
        owner = join(scope.owner, ref)
        path = (*node.path, "use")
        if owner not in self._known and scope.unknown(ref):
            return UNKNOWN
        if owner not in self._known:
            self.problem(self._no_component(ref, scope), path)
            return UNKNOWN
        target, stack = self._known[owner]
        if target.component is not None and not target.takes:
            inside = [name for name in self._components(scope) if name.startswith(f"{ref}.")]
            values = [name for name in scope.readable() if name.startswith(f"{ref}.")]
            name = f"; name one of its components: {some(inside)}" if inside else ""
            name = f"; its values are read with 'inputs': {some(values)}" if values else name
            self.problem(f"{ref!r} only holds{name}", path)
            return UNKNOWN
        inputs = scope.read(node.inputs, target.takes, self.problem, (*node.path, "inputs"))
        with self._rules.instead(stack):
            return self._call(target, Place(place.name, owner), inputs, path, reads=node.inputs)

    def _no_component(self, ref: str, scope: Scope) -> str:
        if ref in scope.inputs:
            return f"{ref!r} is {scope.taken(ref)}, not a component"
        if ref in scope.later:
            return f"{ref!r} comes later, at {dotted(scope.later[ref])}; only what is before can be used"
        known = self._components(scope)
        if ref in scope.names:
            return f"{ref!r} is a value; 'use' takes the component that makes it: there is {some(known)}"
        if any(join(outer.owner, ref) in self._known for outer in scope.outer):
            return f"{ref!r} is outside the block, which can only use its own components"
        near = did_you_mean(ref, known) or (f"; there is {some(known)}" if known else "")
        return f"no component before it is called {ref!r}{near}"

    def _components(self, scope: Scope) -> list[str]:
        """The components that can be used in a scope, by the names they have there."""
        start = f"{scope.owner}." if scope.owner else ""
        return [owner.removeprefix(start) for owner in self._known if owner.startswith(start)]

    @contextmanager
    def _visit(self, node: Node, place: Place, reads: Refs = None) -> Iterator[Visit]:
        """Note that a node was met; what is met within it is noted under it."""
        visit, before = Visit(place.name, place.owner, node, reads), self._visits
        before.append(visit)
        self._visits = visit.visits
        yield visit
        self._visits = before

    def _note(self, visit: Visit, output: Output) -> None:
        """What a visit gave, where all of it is known."""
        flow = [value.index for value in output.flow or () if value is not None]
        visit.values = tuple(flow) if output.flow is not None and len(flow) == len(output.flow) else None
        if isinstance(visit.node.component, Module) and visit.values and not visit.visits:
            visit.call = self.graph.calls[-1]

    def _call(
        self, node: Node, place: Place, inputs: Flow, again: Path | None = None, reads: Refs = None
    ) -> Output:
        """Call a node; `again` is where mistakes are reported if that is not the first call."""
        self._count += 1
        if self._count > CALLS:
            raise _TooLarge(node.path)
        before = self._calls.again
        if again is not None and before is None and place.owner in self._calls.begun:
            self._calls.again = again
        with self._visit(node, place, reads) as visit, self._rules.under(node, place.owner):
            self._known.setdefault(place.owner, (node, self._rules.stack))
            output = self._once(node, place, inputs) if node.repeat is None else self._repeat(node, place, inputs)
            self._note(visit, output)
        self._calls.again = before
        return output

    def _repeat(self, node: Node, place: Place, inputs: Flow) -> Output:
        """Copies in a row, called by their index, each with weights of its own."""
        items: dict[str, Flow] = {}
        for index in map(str, range(node.repeat or 0)):
            # The rules hold for the whole row, and only the first reads what the node names.
            copy = replace(node, repeat=None, init={}, freeze=None, inputs=None if int(index) else node.inputs)
            output = self._call(copy, place.child(index), inputs)
            inputs = inputs if output.flow is None else output.flow
            items |= below(index, output)
        return Output(inputs, items)

    def _once(self, node: Node, place: Place, inputs: Flow) -> Output:
        component = node.component
        if component is None:
            return UNKNOWN
        if isinstance(component, Module):
            return Output((self._calls.call(component, node.path, place, inputs, node.inputs),))
        try:
            return self._trace(component, node.path, place, inputs)
        except ShapeError as error:
            self._calls.misfit(f"{component.type} {error.message}", node.path)
            return UNKNOWN

    def _trace(self, wrapper: Wrapper, path: Path, place: Place, inputs: Flow) -> Output:
        before, self._path = self._path, path
        output = wrapper.trace(self, place, inputs)
        self._path = before
        return output

    # Losses.

    def _term(self, term: Term, scope: Scope, target: Flow | None) -> None:
        """Call a loss; what it names is read, the rest is the model's output and the first target."""
        name = f"loss[{term.path[-1]}]" if len(term.path) > 1 else "loss"
        names = arity(type(term.loss)).names
        inputs = scope.arguments(names, term.inputs, target, self.problem, kind=term.loss.type, path=term.path)
        if inputs is None:
            return
        value = self._calls.call(term.loss, term.path, Place(name, "loss"), inputs, term.inputs)
        if value is None:
            return
        if self.graph.specs[value.index].shape != ():
            self.problem(
                f"{term.loss.type} gives one number for each row; to train it must be reduced: mean or sum",
                (*term.path, "reduction"),
            )
        self.graph.terms.append((value.index, term.scale))
