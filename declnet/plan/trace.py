"""Tracing: follow the nodes once with shapes instead of numbers, and collect every mistake on the way."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from declnet.core.component import Loss, Module, arity
from declnet.core.spec import Spec
from declnet.core.wrapper import Node, Value, Wrapper
from declnet.errors import Path, ShapeError, dotted
from declnet.plan.graph import Call, Graph, Problem, Refs, join

Scope = dict[str, Value | None]
"""Names that can be seen, and the values they stand for; None where a mistake left the value unknown."""


@dataclass(frozen=True, slots=True)
class Term:
    """One term of the loss."""

    loss: Loss
    path: Path
    inputs: Refs = None
    scale: float = 1.0


def trace(
    nodes: Sequence[Node], terms: Sequence[Term], inputs: Mapping[str, Spec], targets: Mapping[str, Spec]
) -> Graph:
    """Build the graph of a model and its loss on data fields of these specs.

    Mistakes are collected in `graph.problems`; what lies behind one is checked as far as it is known.
    """
    tracer = _Tracer()
    fields = tracer.fields(inputs, "data.inputs")
    single = next(iter(fields.values())) if len(fields) == 1 else None
    if len(fields) > 1 and nodes and nodes[0].inputs is None:
        tracer.problem(
            f"the data have several inputs ({', '.join(inputs)}): say with 'inputs' which this component reads",
            nodes[0].path,
        )
    output, scope = tracer.nodes(nodes, "", fields, single, reserved=targets)
    tracer.graph.output = None if output is None else output.index
    scope |= tracer.fields(targets, "data.targets")
    for term in terms:
        tracer.term(term, scope, output, next(iter(targets), None))
    return tracer.graph


class _Tracer:
    """Walks nodes and writes the graph."""

    def __init__(self) -> None:
        self.graph = Graph()
        self._shapes: dict[str, tuple[int, ...]] = {}

    def fields(self, specs: Mapping[str, Spec], where: str) -> Scope:
        """Values for data fields."""
        scope: Scope = {}
        for name, spec in specs.items():
            index = self.graph.inputs[name] = self.graph.value(spec, f"{where}.{name}")
            scope[name] = Value(index)
        return scope

    def problem(self, message: str, path: Path) -> None:
        """Note a mistake and go on."""
        self.graph.problems.append(Problem(message, path))

    def chain(self, nodes: Sequence[Node], prefix: str, inputs: Sequence[Value | None]) -> Value | None:
        """The nodes of a block, which sees only its own input."""
        if len(inputs) != 1:
            raise ShapeError(f"takes one input but gets {len(inputs)}")
        return self.nodes(nodes, prefix, {"input": inputs[0]}, inputs[0])[0]

    def nodes(
        self,
        nodes: Sequence[Node],
        prefix: str,
        scope: Scope,
        value: Value | None,
        reserved: Collection[str] = (),
    ) -> tuple[Value | None, Scope]:
        """Call nodes in order; each sees the names before it. The last value, and all names."""
        own: set[str] = set()
        for index, node in enumerate(nodes):
            name = node.name or str(index)
            if name in own:
                self.problem(f"two components are called {name!r}; give one another name", (*node.path, "name"))
            elif name in scope or name in reserved:
                what = "an input" if name in scope else "a target"
                self.problem(f"{name!r} is already the name of {what}; choose another", (*node.path, "name"))
            own.add(name)
            given = self._resolve(node.inputs, _names(node.component), scope, node.path)
            value = self.call(node, join(prefix, name), [value] if given is None else given)
            scope = scope | {name: value}
        return value, scope

    def call(self, node: Node, prefix: str, inputs: Sequence[Value | None]) -> Value | None:
        """Call one node on these values."""
        try:
            if isinstance(node.component, Wrapper):
                return node.component.trace(self, prefix, inputs)
            if node.component is None:
                return None
            return self._module(node.component, node.path, prefix, inputs)
        except ShapeError as error:
            self.problem(f"{type(node.component).__name__} {error.message}", node.path)
            return None

    def term(self, term: Term, scope: Scope, output: Value | None, target: str | None) -> None:
        """Call a loss: by default on the model's output and the first target."""
        names = arity(type(term.loss)).names
        inputs = self._resolve(term.inputs, names, scope, term.path)
        if term.inputs is None:
            if len(names) != 2:
                what = ", ".join(names)
                self.problem(f"{type(term.loss).__name__} takes {len(names)} inputs: {what}; name them", term.path)
                return
            if target is None:
                self.problem(f"{type(term.loss).__name__} needs a target; declare data.targets", term.path)
                return
            inputs = [output, scope[target]]
        value = None if inputs is None else self._module(term.loss, term.path, "loss", inputs)
        if value is None:
            return
        if self.graph.specs[value.index].shape != ():
            self.problem(
                f"{type(term.loss).__name__} gives one number for each row; to train it must be reduced: "
                "mean or sum",
                (*term.path, "reduction"),
            )
        self.graph.terms.append((value.index, term.scale))

    def _resolve(
        self, refs: Refs, names: tuple[str, ...] | None, scope: Scope, path: Path
    ) -> list[Value | None] | None:
        """The values a node reads, None for each that cannot be found; None where it names none. `names` are
        those of its inputs, None where they are unknown.
        """
        if refs is None:
            return None
        wanted: list[tuple[str | int, str]] = list(refs.items() if isinstance(refs, Mapping) else enumerate(refs))
        for key, ref in wanted:
            if ref not in scope:
                self.problem(
                    f"nothing before it is called {ref!r}; there is {', '.join(scope)}", (*path, "inputs", key)
                )
        found = {key: scope.get(ref) for key, ref in wanted}
        if not isinstance(refs, Mapping) or names is None:
            return list(found.values())
        if set(refs) != set(names):
            self.problem(f"inputs are {', '.join(names)}; got {', '.join(refs)}", (*path, "inputs"))
            return [None] * len(names)
        return [found[name] for name in names]

    def _module(self, module: Module, path: Path, prefix: str, inputs: Sequence[Value | None]) -> Value | None:
        """Infer, complete, and note the call; None where an input or the output is unknown."""
        takes = arity(type(module))
        if len(inputs) != len(takes.names) and not (takes.variadic and inputs):
            plural = "" if len(takes.names) == 1 else "s"
            what = f"{len(takes.names)} input{plural} ({', '.join(takes.names)})"
            self.problem(
                f"{type(module).__name__} takes {'at least one input' if takes.variadic else what} "
                f"but gets {len(inputs)}",
                (*path, "inputs"),
            )
            return None
        if any(value is None for value in inputs):
            return None
        values = tuple(value.index for value in inputs if value is not None)
        specs = [self.graph.specs[value] for value in values]
        output = self._infer(module, specs, values, path)
        if output is None:
            return None
        module, spec = output
        index = self.graph.value(spec, dotted(path))
        # A loss owns nothing; the brackets keep it apart from a component that is called 'loss'.
        owner = f"{prefix}[{index}]" if isinstance(module, Loss) else prefix
        self.graph.calls.append(Call(prefix, path, module, owner, values, index))
        for local, parameter in module.parameters(*specs).items():
            self.graph.parameters[join(owner, local)] = parameter
        for local, buffer in module.buffers(*specs).items():
            self.graph.buffers[join(owner, local)] = buffer
        return Value(index)

    def _infer(
        self, module: Module, specs: Sequence[Spec], values: Sequence[int], path: Path
    ) -> tuple[Module, Spec] | None:
        """The completed module and its output. A wrong size that could have been left out is reported, and
        then taken as left out, so that what follows is checked too.
        """
        try:
            spec = module.infer(*specs)
            return module.complete(*specs), spec
        except ShapeError as error:
            source = "" if error.argument is None else f" (from {self.graph.origins[values[error.argument]]})"
            self.problem(error.message + source, path if error.field is None else (*path, error.field))
            field = error.field
        if field is None or getattr(module, field) is None or type(module).model_fields[field].default is not None:
            return None
        return self._infer(module.model_copy(update={field: None}), specs, values, path)


def _names(component: Module | Wrapper | None) -> tuple[str, ...] | None:
    """The inputs of a component by name; a wrapper's is `input`, an unknown one's are unknown."""
    if component is None:
        return None
    return arity(type(component)).names if isinstance(component, Module) else ("input",)
