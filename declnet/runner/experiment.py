"""Everything that is known before anything runs: the config read, its data described, its graph traced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, final

from declnet.config import extends, references
from declnet.config import overrides as command_line
from declnet.config.document import Document
from declnet.config.loop import BATCH, Loop
from declnet.config.read import Reading
from declnet.config.read import read as read_config
from declnet.config.schema import Config, Init, with_fields_of_source
from declnet.config.split import Split
from declnet.core.metric import Measure
from declnet.core.optimizer import Tuned, matches
from declnet.core.scheduler import Scheduled
from declnet.core.source import Source
from declnet.core.spec import Spec
from declnet.core.suggest import like_pattern
from declnet.core.wrapper import Node, Term
from declnet.errors import CheckpointError, ConfigError, DataError, Diagnostic, Path
from declnet.plan.graph import Graph
from declnet.plan.lint import lint
from declnet.plan.trace import trace
from declnet.records import record
from declnet.runner import scheduling, splitting
from declnet.runner.fields import Fields, described
from declnet.runner.findings import Findings
from declnet.runner.monitor import Mode, monitor
from declnet.runner.traced import completed, rows_mixed, unbalanced, why_not

if TYPE_CHECKING:
    from declnet.runner.initial import Start, Taken

MOST = 20
"""Mistakes shown at most."""

Unknown = dict[str, Spec | None]


@record
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


@final
class _Checker(Findings):
    """Checks what reading left: columns, shapes, losses, metrics."""

    def __init__(self, reading: Reading, start: Start | None, *, trained: bool, alone: bool) -> None:
        super().__init__(reading)
        self.trained, self.alone, self.start = trained, alone, start
        self.config = reading.config
        self.problems += start.problems if start is not None else ()
        self.warnings = [item for item in reading.document.problems if item.severity == "warning"]

    def check(self) -> Experiment | None:
        """The experiment, or None where there are problems."""
        self._scheduler()
        section = with_fields_of_source(self.sections.get(("data",), {}))
        source, inputs, targets = (section.get(key, {}) for key in ("source", "inputs", "targets"))
        if not isinstance(source, Source) or not isinstance(inputs, dict) or not isinstance(targets, dict):
            return None
        if not inputs:
            if "inputs" not in self.sections[("data",)]:
                self.problem("data needs 'inputs': the columns that the model reads", ("data",))
            return None
        fields = described(self, source, inputs, targets, trained=self.trained, alone=self.alone)
        # What is not known of the data may be read all the same: the rest of the graph is checked.
        self._graph(*fields, *(dict.fromkeys(wanted) for wanted in (inputs, targets)))
        if self.config is None or self.problems:
            return None
        given = self.sections.get(("data", "split"), {})
        self.config = splitting.completed(self.config, fields[1], given)
        warnings = tuple(sorted(self.warnings, key=_place))
        taken = None if self.start is None else self.start.taken
        return Experiment(self.config, self.document, *fields, warnings, taken)

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
            self.problem(problem.message, problem.path)
        for problem in [] if mixed or graph.problems else larger.problems[:1]:
            self.problem(
                f"fits batches of {batch} rows alone, and the last may have fewer: with {batch + 1} rows, "
                f"{problem.message}",
                problem.path,
            )
        if not nodes:
            self.problem("the model has no components", ("model",))
        if not self.problems:
            enough = "; raise loop.batch_size" if not any(larger.unfit(training=True)) else ""
            for problem in graph.unfit(training=True):
                self.problem(problem.message + enough, problem.path)
        if not self.problems and not graph.trained():
            self.problem(f"nothing in the model can learn: {why_not(graph)}", ("model",))
        unknown = not graph.parameters or any(problem.path[:1] == ("model",) for problem in self.problems)
        if isinstance(optimizer := top.get("optimizer"), Tuned) and not unknown:
            self._groups(optimizer, graph)
        if loop.get("class_weights") == "balanced" and not self.problems and (why := unbalanced(graph)):
            self.problem(why, ("loop", "class_weights"))
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
                    self.problem(
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
            self.problem(message, path)
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
                self.problem(found, path)
