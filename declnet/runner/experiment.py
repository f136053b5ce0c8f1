"""Everything that is known before anything runs: the config read, its data described, its graph traced."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from declnet.config import extends, references
from declnet.config import overrides as command_line
from declnet.config.document import Document
from declnet.config.loop import BATCH, Loop
from declnet.config.read import Reading
from declnet.config.read import read as read_config
from declnet.config.schema import Config, DataField, Init, with_fields_of_source
from declnet.config.split import Split
from declnet.core.metric import Measure
from declnet.core.optimizer import Tuned, matches
from declnet.core.scheduler import Scheduled
from declnet.core.source import Column, Source
from declnet.core.spec import Kind, Spec
from declnet.core.suggest import did_you_mean, like_pattern, some
from declnet.core.wrapper import Node, Term
from declnet.data import table
from declnet.data.chain import FieldError
from declnet.errors import CheckpointError, ConfigError, DataError, Diagnostic, Path, ShapeError
from declnet.plan.graph import Graph
from declnet.plan.lint import lint
from declnet.plan.trace import trace
from declnet.runner import scheduling, splitting
from declnet.runner.monitor import Mode, monitor
from declnet.runner.traced import completed, rows_mixed, unbalanced, why_not

if TYPE_CHECKING:
    from declnet.runner.initial import Start, Taken

MOST = 20
"""Mistakes shown at most."""

KINDS: dict[str | None, Kind | None] = {None: None, "int64": "int", "float": "float"}
"""What a data field's `dtype` stands for."""

Fields = dict[str, table.Field]
Unknown = dict[str, Spec | None]


@dataclass(frozen=True, slots=True)
class Experiment:
    """A config that holds together: nothing has been allocated, and no row has been read."""

    config: Config
    document: Document
    inputs: Fields
    targets: Fields
    warnings: tuple[Diagnostic, ...] = ()
    taken: Taken | None = None
    """What `init` gives the network to start from."""

    @property
    def batch(self) -> int:
        """Rows of the batch that figures are for; an example where a batch is all rows, and nobody has counted."""
        size = self.config.loop.batch_size
        return size if isinstance(size, int) else BATCH

    def forward(self, batch: int) -> Graph:
        """The graph of the model alone, which reads no targets."""
        return trace(self.config.model, (), batched(self.inputs, batch), {})

    def graph(self, batch: int) -> Graph:
        """The graph for batches of this many rows."""
        inputs, targets = (batched(fields, batch) for fields in (self.inputs, self.targets))
        return trace(self.config.model, terms(self.config.loss), inputs, targets, self.config.loop.metrics)

    def largest(self, sizes: Iterable[int]) -> int:
        """Operations of the largest matrix product of a full batch, by which the number of threads is chosen: the
        same in training, evaluation and prediction, and for a last batch that is smaller. `sizes` are those of the
        batches at hand, the largest of which counts where the config does not say how large a full one is.
        """
        size = self.config.loop.batch_size
        return self.graph(size if isinstance(size, int) else max(sizes)).largest


def terms(loss: Any) -> list[Term]:
    """The terms of a loss, one or several, as far as they could be read."""
    return [term for term in (loss if isinstance(loss, tuple) else (loss,)) if isinstance(term, Term)]


def load(
    config: FilePath | str | Mapping[str, object],
    overrides: Sequence[str] = (),
    *,
    strict: bool = False,
    trained: bool = False,
    alone: bool = False,
    begun: bool = False,
) -> Experiment:
    """Read and check a config. ConfigError or DataError with every mistake in it; with `strict` warnings too.

    With `trained`, the source's file is not looked for where its columns are known without it. Nor, with either
    that or `alone`, is what only splits are made of; nor, with `begun`, the weights that the run started from.
    """
    reading = _reading(config, overrides)
    start = None if begun else _start(reading)
    checker = _Checker(reading, start, trained=trained, alone=alone or trained)
    experiment = checker.check()
    if experiment is None:
        # What stands in one place and is used in several is one mistake.
        once: dict[tuple[object, str], Diagnostic] = {}
        for item in checker.problems:
            once.setdefault((item.mark, item.message), item)
        problems = sorted(once.values(), key=_place)
        if len(problems) > MOST:
            more = len(problems) - MOST
            problems = [*problems[:MOST], Diagnostic(f"and {more} more mistake{'s' * (more > 1)}")]
        if reading.problems or checker.config_is_wrong or (start is not None and start.config_is_wrong):
            raise ConfigError(*problems)
        raise (CheckpointError if all(item.path[:1] == ("init",) for item in problems) else DataError)(*problems)
    if strict and experiment.warnings:
        raise ConfigError(*(replace(warning, severity="error") for warning in experiment.warnings))
    return experiment


def source_of(config: FilePath | str, overrides: Sequence[str] = ()) -> Source:
    """The source of a config, whose file is not looked for. ConfigError where it cannot be read."""
    reading = _reading(config, overrides)
    source = reading.sections.get(("data",), {}).get("source")
    if not isinstance(source, Source):
        raise ConfigError(*reading.problems[:MOST])
    return source


def _reading(config: FilePath | str | Mapping[str, object], overrides: Sequence[str]) -> Reading:
    return read_config(references.resolve(command_line.apply(extends.load(config), overrides)))


def _start(reading: Reading) -> Start | None:
    """The weights that a config starts from, if it does."""
    init = reading.sections[()].get("init")
    if not isinstance(init, Init):
        return None
    from declnet.runner.initial import Start

    return Start(init, reading.document)


def batched(fields: Fields, batch: int) -> dict[str, Spec]:
    """The specs of fields in batches of this many rows."""
    return {name: Spec((batch, *item.spec.shape), item.spec.kind) for name, item in fields.items()}


def _place(problem: Diagnostic) -> tuple[bool, str, int, int]:
    """File order; mistakes without a place come first, those on the command line last."""
    mark = problem.mark
    return (False, "", 0, 0) if mark is None else (mark.file.startswith("<"), mark.file, mark.line, mark.column)


def placed(error: ConfigError | DataError, document: Document, base: Path = ("data", "source")) -> list[Diagnostic]:
    """What a source refuses, at the keys of the config that it speaks of, unless it is about places in the data;
    `base` is where the source is.
    """
    if any(item.mark for item in error.diagnostics):
        return [*error.diagnostics]
    paths: list[Path] = [(*base, *item.path) for item in error.diagnostics]
    pairs = zip(error.diagnostics, paths, strict=True)
    return [replace(item, path=path, mark=document.mark(path)) for item, path in pairs]


class _Checker:
    """Checks what reading left: columns, shapes, losses, metrics."""

    def __init__(self, reading: Reading, start: Start | None, *, trained: bool, alone: bool) -> None:
        self.trained, self.alone, self.start = trained, alone, start
        self.document: Document = reading.document
        self.sections = reading.sections
        self.config = reading.config
        self.problems: list[Diagnostic] = [*reading.problems, *(start.problems if start is not None else ())]
        self.warnings = [item for item in reading.document.problems if item.severity == "warning"]
        self.config_is_wrong = False

    def check(self) -> Experiment | None:
        """The experiment, or None where there are problems."""
        self._scheduler()
        section = with_fields_of_source(self.sections.get(("data",), {}))
        source, inputs, targets = (section.get(key, {}) for key in ("source", "inputs", "targets"))
        if not isinstance(source, Source) or not isinstance(inputs, dict) or not isinstance(targets, dict):
            return None
        if not inputs:
            if "inputs" not in self.sections[("data",)]:
                self._problem("data needs 'inputs': the columns that the model reads", ("data",))
            return None
        fields = self._fields(source, inputs, targets)
        # What is not known of the data may be read all the same: the rest of the graph is checked.
        self._graph(*fields, *(dict.fromkeys(wanted) for wanted in (inputs, targets)))
        if self.config is None or self.problems:
            return None
        given = self.sections.get(("data", "split"), {})
        self.config = splitting.completed(self.config, fields[1], given)
        warnings = tuple(sorted(self.warnings, key=_place))
        taken = None if self.start is None else self.start.taken
        return Experiment(self.config, self.document, *fields, warnings, taken)

    def _problem(self, message: str, path: Path) -> None:
        self.config_is_wrong = True
        self.problems.append(Diagnostic(message, path, self.document.mark(path)))

    def _fields(
        self, source: Source, inputs: Mapping[str, DataField], targets: Mapping[str, DataField]
    ) -> tuple[Fields, Fields]:
        """Describe the data fields from the source's header, as far as they are right."""
        items = [item for item in (*inputs.values(), *targets.values()) if isinstance(item, DataField)]
        names = [name for item in items for name in table.listed(item.columns)]
        # What a pattern stands for only the header says.
        described = self.trained and not any(map(table.is_pattern, names))
        try:
            known = source.describe(names) if described else source.columns()
        except (ConfigError, DataError) as error:
            self._refused(error, ("data", "source"))
            return {}, {}

        # `inputs: ["*"]` means all but what is to be learned.
        spared = {
            name for item in targets.values() if isinstance(item, DataField) for name in table.listed(item.columns)
        }

        def describe(section: str, wanted: Mapping[str, DataField], spared: Collection[str] = ()) -> Fields:
            fields: Fields = {}
            for name, item in wanted.items():
                if not isinstance(item, DataField):
                    continue
                path = self._columns_path(section, name, item)
                try:
                    fields[name] = table.field(known, item.columns, KINDS[item.dtype], spared, item.transforms)
                except FieldError as error:
                    self._problem(error.message, ("data", section, name, *error.path))
                except ShapeError as error:
                    near = (
                        ""
                        if error.field is None or error.field in known
                        else did_you_mean(error.field, known) or f"; there is {some(list(known))}"
                    )
                    self._problem(error.message + near, self._item_path(path, error.field))
            return fields

        fields = describe("inputs", inputs, spared), describe("targets", targets)
        for name in targets:
            if name in inputs:
                self._problem(
                    f"{name!r} is already the name of an input; choose another", ("data", "targets", name)
                )
        self._split(known, *fields, whole=len(fields[1]) == len(targets))
        return fields

    def _refused(self, error: ConfigError | DataError, base: Path) -> None:
        """Note what the source at a path refuses: its file, or that a package which it needs is missing."""
        self.config_is_wrong |= isinstance(error, ConfigError)
        self.problems += placed(error, self.document, base)

    def _split(self, known: Mapping[str, Column], inputs: Fields, targets: Fields, *, whole: bool) -> None:
        """How rows are split, and the sources that splits have of their own; `whole`: all targets are known."""
        split = self.sections[("data",)].get("split", Split())
        if self.alone or not isinstance(split, Split):
            return
        if self.sections.get(("loop",), {}).get("folds") is not None:
            for message, path in splitting.fold_problems(self.sections.get(("data", "split"), {})):
                self._problem(message, path)
        for what, path in splitting.problems(split, known, inputs | targets, targets if whole else None):
            if isinstance(what, str):
                self._problem(what, path)
            else:
                self._refused(what, path)

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

    def _graph(self, inputs: Fields, targets: Fields, reads: Unknown, compares: Unknown) -> None:
        """Trace what there is, and fill in what was left out. Of fields that may be read nothing need be known."""
        top, loop = self.sections[()], self.sections.get(("loop",), {})
        nodes, loss, batch = top.get("model"), top.get("loss"), loop.get("batch_size")
        if not isinstance(nodes, tuple) or not all(isinstance(node, Node) for node in nodes):
            return
        batch = batch if isinstance(batch, int) and batch > 0 else BATCH
        metrics = loop.get("metrics", ())
        measures = [item for item in metrics if isinstance(item, Measure)] if isinstance(metrics, tuple) else []
        graph, larger = (
            trace(nodes, terms(loss), reads | batched(inputs, n), compares | batched(targets, n), measures)
            for n in (batch, batch + 1)
        )
        mixed = rows_mixed(graph, larger)
        for problem in mixed or graph.problems:  # where rows are mixed, the rest only follows from it
            self._problem(problem.message, problem.path)
        for problem in [] if mixed or graph.problems else larger.problems[:1]:
            self._problem(
                f"fits batches of {batch} rows alone, and the last may have fewer: with {batch + 1} rows, "
                f"{problem.message}",
                problem.path,
            )
        if not nodes:
            self._problem("the model has no components", ("model",))
        if not self.problems:
            enough = "; raise loop.batch_size" if not any(larger.unfit(training=True)) else ""
            for problem in graph.unfit(training=True):
                self._problem(problem.message + enough, problem.path)
        if not self.problems and not graph.trained():
            self._problem(f"nothing in the model can learn: {why_not(graph)}", ("model",))
        unknown = not graph.parameters or any(problem.path[:1] == ("model",) for problem in self.problems)
        if isinstance(optimizer := top.get("optimizer"), Tuned) and not unknown:
            self._groups(optimizer, graph)
        if loop.get("class_weights") == "balanced" and not self.problems and (why := unbalanced(graph)):
            self._problem(why, ("loop", "class_weights"))
        if self.start is not None and not any(item.path[:1] in (("model",), ("data",)) for item in self.problems):
            self.problems += self.start.compare(graph)
        self._monitors(top.get("loop", Loop()), self.sections[("data",)].get("split", Split()))
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

    def _scheduler(self) -> None:
        """Check the scheduler against the rest of the config, and fill in what follows from it."""
        top, loop = self.sections[()], self.sections.get(("loop",), {})
        scheduled, optimizer, epochs = top.get("scheduler"), top.get("optimizer"), loop.get("epochs", Loop().epochs)
        share = self.sections.get(("data", "split"), {}).get("val", Split().val)
        metrics = loop.get("metrics", ())
        if not isinstance(scheduled, Scheduled) or not isinstance(optimizer, Tuned):
            return
        right = isinstance(epochs, int | None) and isinstance(share, int | float | Source)
        if not right or not isinstance(metrics, tuple):
            return
        limited = loop.get("max_steps") is not None  # how many epochs those are, the rows will tell
        known = [measure for measure in metrics if isinstance(measure, Measure)]
        figures = scheduling.figures(known, validated=share != 0)
        setting = scheduling.Setting(optimizer, None if limited else epochs, None, figures)
        for message, path in scheduling.problems(scheduled, setting):
            self._problem(message, path)
        if self.config is not None and not self.problems:
            scheduled = scheduling.completed(scheduled, setting)
            self.config = self.config.model_copy(update={"scheduler": scheduled})
            for message, path in scheduling.lint(scheduled, setting, self.document):
                self.warnings.append(Diagnostic(message, path, self.document.mark(path), "warning"))

    def _monitors(self, loop: Any, split: Any) -> None:
        """What is watched must be a figure of an epoch."""
        if not isinstance(loop, Loop) or not isinstance(split, Split):
            return
        wanted: list[tuple[Path, str | None, Mode | None]] = [(("loop", "monitor"), loop.monitor, None)]
        if (stopping := loop.early_stopping) is not None and stopping.monitor is not None:
            wanted.append((("loop", "early_stopping", "monitor"), stopping.monitor, stopping.mode))
        for path, name, mode in wanted:
            if isinstance(found := monitor(loop, name, mode, validated=split.validated), str):
                self._problem(found, path)
