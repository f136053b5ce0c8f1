"""Everything that is known before anything runs: the config read, its data described, its graph traced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Any

from declnet.config import extends, references
from declnet.config import overrides as command_line
from declnet.config.document import Document
from declnet.config.read import Reading
from declnet.config.read import read as read_config
from declnet.config.schema import Config, DataField, Loop, with_fields_of_source
from declnet.core.metric import Metric
from declnet.core.optimizer import Tuned, matches
from declnet.core.source import Source
from declnet.core.spec import Kind, Spec
from declnet.core.suggest import did_you_mean, like_pattern, some
from declnet.core.wrapper import Block, Node, Term, Wrapper, join
from declnet.data import table
from declnet.errors import ConfigError, DataError, Diagnostic, Path, ShapeError
from declnet.plan.graph import Graph, Problem
from declnet.plan.lint import lint
from declnet.plan.trace import trace

MOST = 20
"""Mistakes shown at most."""

KINDS: dict[str | None, Kind | None] = {None: None, "int64": "int", "float": "float"}
"""What a data field's `dtype` stands for."""

Fields = dict[str, table.Field]


@dataclass(frozen=True, slots=True)
class Experiment:
    """A config that holds together: nothing has been allocated, and no row has been read."""

    config: Config
    document: Document
    inputs: Fields
    targets: Fields
    warnings: tuple[Diagnostic, ...] = ()

    def forward(self, batch: int) -> Graph:
        """The graph of the model alone, which reads no targets."""
        return trace(self.config.model, (), batched(self.inputs, batch), {})

    def graph(self, batch: int) -> Graph:
        """The graph for batches of this many rows."""
        inputs, targets = (batched(fields, batch) for fields in (self.inputs, self.targets))
        return trace(self.config.model, terms(self.config.loss), inputs, targets)


def terms(loss: Any) -> list[Term]:
    """The terms of a loss, one or several, as far as they could be read."""
    return [term for term in (loss if isinstance(loss, tuple) else (loss,)) if isinstance(term, Term)]


def load(
    config: FilePath | str | Mapping[str, object],
    overrides: Sequence[str] = (),
    *,
    strict: bool = False,
    trained: bool = False,
) -> Experiment:
    """Read and check a config. ConfigError or DataError with every mistake in it; with `strict` warnings too.

    With `trained`, the source's file is not looked for where its columns are known without it.
    """
    document = references.resolve(command_line.apply(extends.load(config), overrides))
    reading = read_config(document)
    checker = _Checker(reading, trained=trained)
    experiment = checker.check()
    if experiment is None:
        problems = sorted(checker.problems, key=_place)
        if len(problems) > MOST:
            more = len(problems) - MOST
            problems = [*problems[:MOST], Diagnostic(f"and {more} more mistake{'s' * (more > 1)}")]
        raise (ConfigError if reading.problems or checker.config_is_wrong else DataError)(*problems)
    if strict and experiment.warnings:
        raise ConfigError(*(replace(warning, severity="error") for warning in experiment.warnings))
    return experiment


def batched(fields: Fields, batch: int) -> dict[str, Spec]:
    """The specs of fields in batches of this many rows."""
    return {name: Spec((batch, *item.spec.shape), item.spec.kind) for name, item in fields.items()}


def _place(problem: Diagnostic) -> tuple[bool, str, int, int]:
    """File order; mistakes without a place come first, those on the command line last."""
    mark = problem.mark
    return (False, "", 0, 0) if mark is None else (mark.file.startswith("<"), mark.file, mark.line, mark.column)


class _Checker:
    """Checks what reading left: columns, shapes, losses, metrics."""

    def __init__(self, reading: Reading, *, trained: bool) -> None:
        self.trained = trained
        self.document: Document = reading.document
        self.sections = reading.sections
        self.config = reading.config
        self.problems: list[Diagnostic] = list(reading.problems)
        self.warnings = [item for item in reading.document.problems if item.severity == "warning"]
        self.config_is_wrong = False

    def check(self) -> Experiment | None:
        """The experiment, or None where there are problems."""
        section = with_fields_of_source(self.sections.get(("data",), {}))
        source, inputs, targets = (section.get(key, {}) for key in ("source", "inputs", "targets"))
        if not isinstance(source, Source) or not all(_right_fields(fields) for fields in (inputs, targets)):
            return None
        if not inputs:
            if "inputs" not in self.sections[("data",)]:
                self._problem("data needs 'inputs': the columns that the model reads", ("data",))
            return None
        fields = self._fields(source, inputs, targets)
        if fields is None:
            return None
        self._graph(*fields)
        if self.config is None or self.problems:
            return None
        return Experiment(self.config, self.document, *fields, tuple(sorted(self.warnings, key=_place)))

    def _problem(self, message: str, path: Path) -> None:
        self.config_is_wrong = True
        self.problems.append(Diagnostic(message, path, self.document.mark(path)))

    def _fields(
        self, source: Source, inputs: Mapping[str, DataField], targets: Mapping[str, DataField]
    ) -> tuple[Fields, Fields] | None:
        """Describe the data fields from the source's header."""
        items = (*inputs.values(), *targets.values())
        names = [
            name for item in items for name in ([item.columns] if isinstance(item.columns, str) else item.columns)
        ]
        try:
            known = source.describe(names) if self.trained else source.columns()
        except DataError as error:
            for item in error.diagnostics:
                path: Path = ("data", "source", *item.path)
                self.problems.append(item if item.mark else replace(item, path=path, mark=self.document.mark(path)))
            return None
        right = True

        def describe(section: str, wanted: Mapping[str, DataField]) -> Fields:
            nonlocal right
            fields: Fields = {}
            for name, item in wanted.items():
                path = self._columns_path(section, name, item)
                try:
                    fields[name] = table.field(known, item.columns, KINDS[item.dtype])
                except ShapeError as error:
                    right = False
                    near = (
                        ""
                        if error.field is None
                        else did_you_mean(error.field, known) or f"; there is {some(list(known))}"
                    )
                    self._problem(error.message + near, self._item_path(path, error.field))
            return fields

        fields = describe("inputs", inputs), describe("targets", targets)
        for name in targets:
            if name in inputs:
                right = False
                self._problem(
                    f"{name!r} is already the name of an input; choose another", ("data", "targets", name)
                )
        return fields if right else None

    def _columns_path(self, section: str, name: str, item: DataField) -> Path:
        """Where the columns of a field are written, long form or short."""
        for path in (("data", section, name, "columns"), ("data", section, name), ("data", section)):
            if path in self.document.values:
                return path
        return ("data", section)

    def _item_path(self, path: Path, column: str | None) -> Path:
        """The column's own place, where the columns are a list."""
        value: Any = self.document.data
        for part in path:
            value = value[part] if isinstance(value, Mapping) and part in value else None
        if isinstance(value, tuple) and column in value:
            return (*path, value.index(column))
        return path

    def _graph(self, inputs: Fields, targets: Fields) -> None:
        """Trace what there is, and fill in what was left out."""
        top, loop = self.sections[()], self.sections.get(("loop",), {})
        nodes, loss, batch = top.get("model"), top.get("loss"), loop.get("batch_size")
        if not isinstance(nodes, tuple) or not all(isinstance(node, Node) for node in nodes):
            return
        batch = batch if isinstance(batch, int) and batch > 0 else Loop().batch_size
        graph, larger = (
            trace(nodes, terms(loss), batched(inputs, n), batched(targets, n)) for n in (batch, batch + 1)
        )
        mixed = rows_mixed(graph, larger)
        for problem in mixed or graph.problems:  # where rows are mixed, the rest only follows from it
            self._problem(problem.message, problem.path)
        if not nodes:
            self._problem("the model has no components", ("model",))
        if not self.problems:
            enough = "; raise loop.batch_size" if not any(larger.untrainable()) else ""
            for problem in graph.untrainable():
                self._problem(problem.message + enough, problem.path)
        if not self.problems and not graph.trained():
            self._problem("nothing in the model can learn: no component has parameters", ("model",))
        unknown = not graph.parameters or any(problem.path[:1] == ("model",) for problem in self.problems)
        if isinstance(optimizer := top.get("optimizer"), Tuned) and not unknown:
            self._groups(optimizer, graph)
        self._metrics(loop.get("metrics", ()), graph, next(iter(batched(targets, batch).values()), None))
        if self.config is not None and not self.problems:
            self.config = self.config.model_copy(update={"model": completed(nodes, graph)})
            for warning in lint(graph):
                mark = self.document.mark(warning.path)
                self.warnings.append(Diagnostic(warning.message, warning.path, mark, warning.severity))

    def _groups(self, optimizer: Tuned, graph: Graph) -> None:
        """Patterns that match nothing are misspelt, if the parameters are known."""
        for index, group in enumerate(optimizer.groups):
            for number, pattern in enumerate(group.match):
                if not any(matches(name, (pattern,)) for name in graph.parameters):
                    self._problem(
                        f"no parameter is called {pattern!r}{like_pattern(pattern, graph.parameters)}",
                        ("optimizer", "groups", index, "match", number),
                    )

    def _metrics(self, metrics: Any, graph: Graph, target: Spec | None) -> None:
        """Metrics compare the model's output with the first target."""
        for index, metric in enumerate(metrics if isinstance(metrics, tuple) else ()):
            path = ("loop", "metrics", index)
            if not isinstance(metric, Metric):
                continue
            if target is None:
                self._problem(f"{metric.type} needs a target; declare data.targets", path)
            elif len(graph.outputs) > 1:
                self._problem(f"{metric.type} looks at one output, the model ends in {len(graph.outputs)}", path)
            elif graph.output is not None:
                try:
                    metric.check(graph.specs[graph.output], target)
                except ShapeError as error:
                    self._problem(error.message, path)


def rows_mixed(graph: Graph, larger: Graph) -> list[Problem]:
    """The components whose parameters' shapes follow the batch: they take its rows for something else."""
    problems = []
    for call in graph.calls:
        shapes = {join(call.owner, name): parameter.shape for name, parameter in graph.parameters_of(call).items()}
        if any(name in larger.parameters and larger.parameters[name].shape != shapes[name] for name in shapes):
            spec, source = graph.inputs_of(call)[0], graph.origins[call.inputs[0]]  # without inputs nothing follows
            problems.append(
                Problem(
                    f"{call.component.type} would mix the rows of a batch: its input {spec} is one number a row "
                    f"(from {source}); a column in a list, [a], is a vector of one",
                    call.path,
                )
            )
    return problems


def _right_fields(fields: Any) -> bool:
    return isinstance(fields, dict) and all(isinstance(item, DataField) for item in fields.values())


def completed(nodes: Sequence[Node], graph: Graph) -> tuple[Node, ...]:
    """The nodes with every inferred argument filled in that is the same in all calls."""
    found: dict[Path, list[Block]] = {}
    for call in graph.calls:
        found.setdefault(call.path, []).append(call.component)

    def fill(node: Any) -> Any:
        if not isinstance(node, Node) or node.component is None:
            return node
        block = node.component
        if isinstance(block, Wrapper):
            held = getattr(block, block.children)
            inner = {k: fill(v) for k, v in held.items()} if isinstance(held, dict) else tuple(map(fill, held))
            return replace(node, component=block.model_copy(update={block.children: inner}))
        complete = found.get(node.path, [block])
        agreed = {
            name: getattr(complete[0], name)
            for name in type(block).model_fields
            if all(getattr(other, name) == getattr(complete[0], name) for other in complete)
        }
        return replace(node, component=block.model_copy(update=agreed))

    return tuple(map(fill, nodes))
