"""The calls of modules in a graph: what each infers, its parameters and buffers, and where it does not fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from declnet.core.component import Loss, Module, arity
from declnet.core.spec import Spec
from declnet.core.suggest import some
from declnet.core.wrapper import Flow, Place, Refs, Value, join
from declnet.errors import Path, ShapeError, dotted
from declnet.plan.graph import Call, Graph, Problem
from declnet.plan.rules import Rules


class Calls:
    """Writes the graph, one call after another."""

    def __init__(self) -> None:
        """An empty graph."""
        self.graph = Graph()
        self.rules = Rules()
        self.called: dict[str, Module] = {}
        """Modules by the prefix of their parameters, complete."""
        self.begun: set[str] = set()
        """The prefixes of what has been called, and of all that holds it."""
        self.again: Path | None = None
        """Where a component is called again, which is where it is wrong if it does not fit."""

    def problem(self, message: str, path: Path) -> None:
        """Note a mistake, once, and go on. What is wrong in a block was said when it was first called."""
        problem = Problem(message, path)
        if self.again is None and problem not in self.graph.problems:
            self.graph.problems.append(problem)

    def misfit(self, message: str, path: Path) -> None:
        """Note that a component does not fit what it is called on."""
        if self.again is None:
            self.problem(message, path)
            return
        again, self.again = self.again, None
        self.problem(f"{message}; it is {dotted(path)}, called again", again)
        self.again = again

    def call(self, module: Module, path: Path, place: Place, inputs: Flow, refs: Refs = None) -> Value | None:
        """Infer, complete, and note the call; None where an input or the output is unknown.

        `refs` is what the config says that it reads, where it says so.
        """
        takes = arity(type(module))
        if len(inputs) != len(takes.names) and not (takes.variadic and inputs):
            plural = "" if len(takes.names) == 1 else "s"
            what = f"{len(takes.names)} input{plural} ({', '.join(takes.names)})"
            message = (
                f"{module.type} takes {'at least one input' if takes.variadic else what} but gets {len(inputs)}"
            )
            if refs is not None:
                self.misfit(message, (*path, "inputs"))
            else:
                self.misfit(f"{message}{self.sources(inputs)}; say with 'inputs' what it reads", path)
            return None
        if any(value is None for value in inputs):
            return None
        values = tuple(value.index for value in inputs if value is not None)
        specs = [self.graph.specs[value] for value in values]
        known = None if isinstance(module, Loss) else self.called.get(place.owner)
        output = self._infer(module if known is None else known, specs, values, path, refs)
        if output is None:
            return None
        module, spec = output
        index = self.graph.value(spec, dotted(path))
        # A loss owns nothing; the brackets keep it apart from a component that is called 'loss'.
        owner = f"{place.owner}[{index}]" if isinstance(module, Loss) else place.owner
        self.graph.calls.append(Call(place.name, path, module, owner, values, index))
        if known is None:
            self.called[owner] = module
            parts = owner.split(".")
            self.begun.update(".".join(parts[:end]) for end in range(1, len(parts) + 1))
            self._register(module, specs, owner)
        return Value(index)

    def _register(self, module: Module, specs: Sequence[Spec], owner: str) -> None:
        """Note the parameters and buffers of a module that is called for the first time."""
        for local, parameter in module.parameters(*specs).items():
            name = join(owner, local)
            for message, path in self.rules.apply(name, parameter):
                if all(problem.path != path for problem in self.graph.problems):  # once, however many do not fit
                    self.problem(message, path)
            self.graph.parameters[name] = self.rules.initial(name, parameter)
            if self.rules.frozen:
                self.graph.frozen.add(name)
        for local, buffer in module.buffers(*specs).items():
            self.graph.buffers[join(owner, local)] = buffer

    def _infer(
        self, module: Module, specs: Sequence[Spec], values: Sequence[int], path: Path, refs: Refs
    ) -> tuple[Module, Spec] | None:
        """The completed module and its output. A wrong size that could have been left out is reported, and
        then taken as left out, so that what follows is checked too.
        """
        try:
            spec = module.infer(*specs)
            return module.complete(*specs), spec
        except ShapeError as error:
            source = self.graph.source(error, values)
            self.misfit(error.message + source, _place(error, module, path, refs, len(values)))
            field = error.field
        if field is None or getattr(module, field) is None or type(module).model_fields[field].default is not None:
            return None
        return self._infer(module.model_copy(update={field: None}), specs, values, path, refs)

    def sources(self, inputs: Flow) -> str:
        """Where values come from, for a message."""
        origins = [self.graph.origins[value.index] for value in inputs if value is not None]
        return f" (from {some(origins)})" if origins else ""


def _place(error: ShapeError, module: Module, path: Path, refs: Refs, count: int) -> Path:
    """The wrong argument, or the name of the input at fault where the node names it, or the node."""
    if error.field is not None:
        return (*path, error.field)
    if error.argument is None or refs is None:
        return path
    if isinstance(refs, Mapping):
        return (*path, "inputs", arity(type(module)).names[error.argument])
    # A name may stand for several values.
    return (*path, "inputs", error.argument) if len(refs) == count else (*path, "inputs")
