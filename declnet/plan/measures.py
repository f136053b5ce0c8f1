"""What metrics compare: which values of a graph, and whether they can."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from declnet.core.metric import INPUTS, Measure
from declnet.errors import ShapeError
from declnet.plan.graph import Graph
from declnet.plan.scope import Report, Scope


def note(graph: Graph, scope: Scope, measures: Sequence[Measure], targets: Iterable[str], problem: Report) -> None:
    """Note what each metric compares: what it names, the rest is the model's output and the first target."""
    target = next((scope.names[name] for name in targets), None)
    for measure in measures:
        kind, path = measure.metric.type, measure.path
        flow = scope.arguments(INPUTS, measure.inputs, target, problem, kind=kind, path=path) or ()
        known = [value.index for value in flow if value is not None]
        if flow and len(flow) != len(INPUTS):
            takes = f"{kind} takes {len(INPUTS)} inputs ({', '.join(INPUTS)})"
            problem(f"{takes} but gets {len(flow)}", (*path, "inputs"))
        elif len(known) == len(INPUTS):
            graph.measures.append((known[0], known[1]))
            try:
                measure.metric.check(*(graph.specs[value] for value in known))
            except ShapeError as error:
                where = path if error.field is None else (*path, error.field)
                problem(f"{error.message}{graph.source(error, known)}", where)
